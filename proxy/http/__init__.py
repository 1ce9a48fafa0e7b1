"""HTTP: the only rooms of the delivery plane that know Starlette and uvicorn."""
