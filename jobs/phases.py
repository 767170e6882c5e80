"""The phases of a training."""

# each with its share of a run as measured on ml-latest-small: what progress is reckoned by
PHASE_SHARES = {
    "snapshot": 0.01,
    "compare": 0.03,
    "ranker": 0.45,
    "rater": 0.27,
    "neighbours": 0.12,
    "judge": 0.05,
    "lists": 0.05,
    "publish": 0.02,
}
