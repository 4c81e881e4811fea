"""OpenTelemetry: a span for each request, with how long it waited and how long the model ran."""
