"""An assistant with a route and an SDK client of its own: as it is often written, and mended."""
