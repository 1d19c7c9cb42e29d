"""The scoring stage: inputs -> plan -> parts -> predictions and report.

run: the whole stage. plan: inputs and parts. output: the output folder and the claim on it. part: one part, from
reading to commit. engine: scores parts in threads. gather: makes the final output of the parts, with input_parts,
counted_part, join, output_files and documents. observer: whom the stage tells how far it is.
"""
