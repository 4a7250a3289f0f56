"""Evaluation (考评) of districts, departments and schools by published weights; each score opens what it was made of."""
