"""The inside of the sandbox: the only modules that import pyvips. A worker process runs them."""
