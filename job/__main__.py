"""`python -m job`: the same as `digit-job`."""

from job.cli.app import main

if __name__ == "__main__":
    main()
