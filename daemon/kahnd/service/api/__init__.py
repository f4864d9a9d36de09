"""The control API: HTTP over a Unix socket, under /v1; what it takes and gives, and who may ask."""
