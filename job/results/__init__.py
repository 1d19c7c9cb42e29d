"""What reads finished output: its report and predictions, to compare runs or to render the page again."""
