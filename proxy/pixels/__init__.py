"""The pixel room: sandboxed workers that decode, render and encode. Only boot, probe and render know libvips."""
