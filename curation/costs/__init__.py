"""What a build costs: rates fitted to measured builds, the amounts of a corpus, the limits that it meets, and workers
in a simulation.
"""

from curation.costs.limits import limits_of
from curation.costs.rates import Measured, fit_rates, predicted_cpu_s, shipped_model
from curation.costs.simulation import Fleet, Outcome, Units, simulate
from curation.costs.workload import ClipScoring, ClipShape, pilot_workload, wanted_workload

__all__ = [
    "ClipScoring",
    "ClipShape",
    "Fleet",
    "Measured",
    "Outcome",
    "Units",
    "fit_rates",
    "limits_of",
    "pilot_workload",
    "predicted_cpu_s",
    "shipped_model",
    "simulate",
    "wanted_workload",
]
