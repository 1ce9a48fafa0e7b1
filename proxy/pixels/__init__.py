"""The pixel room: sandboxed workers that decode, render and encode; boot, probe and render know libvips."""
