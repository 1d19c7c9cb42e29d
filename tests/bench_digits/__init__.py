"""How accurate the job is on digits of other people, and what bringing them to MNIST's form costs."""
