"""The pixel room: sandboxed processes, the only place where libvips is loaded and foreign bytes are decoded."""
