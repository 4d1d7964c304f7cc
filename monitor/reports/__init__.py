"""What is told of a week or a shift: changes, the situation report, other words for posts."""
