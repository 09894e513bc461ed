"""The hyperparameter lottery: what an agent comes to over its settings, and what picking among k of them is worth.

The question is ArchGym's (Krishnan et al., ISCA 2023, doi:10.1145/3579371.3589049).
"""
