"""Transfer learning: trainings in processes of their own, and the study of sources times targets.

No torch here; it comes with what is asked for.
"""
