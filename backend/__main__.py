"""`python -m backend`."""

from backend.cli.main import main

if __name__ == "__main__":
    main(prog_name="python -m backend")
