"""The init step: bring the artefact of a model URI into the pod, whole, or say why not."""
