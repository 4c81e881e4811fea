"""What measures this repository, and is no part of what it ships."""
