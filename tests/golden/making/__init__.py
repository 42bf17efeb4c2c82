"""How the golden files are made in real Keras: one module a file.  Runs in `.venv-keras` only; see ../README.md."""
