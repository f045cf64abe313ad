"""Six raters, worked out by hand: what the cleaning and the figures must give.

                 X, clip 1  X, clip 2  T, clip 1  T, clip 2   trap (asked 2)   gold
    A                2          3          4          5             2            5
    B                1          2          5          4             2            4
    C                3          3          5          5             2            5
    D                5          4          2          1             2            5
    E                2          2          4          4             4            2
    F                2          3          4          4             2            3

E fails the trap (and the gold clip: the trap comes first). F rates the gold clip 3. Correlations of
the others, each against the mean of the other three:

    A  2 3 4 5   with  3    3    4    10/3    deviations -1.5 -.5 .5 1.5  with (-1 -1 2 0)/3
       r = 1 / sqrt(5 * 2/3)                  =  0.547723
    B  1 2 5 4   with  10/3 10/3 11/3 11/3    deviations -2 -1 2 1        with (-1 -1 1 1)/6
       r = 1 / sqrt(10 * 1/9)                 =  0.948683
    C  3 3 5 5   with  8/3  9/3  11/3 10/3    deviations -1 -1 1 1        with (-3 -1 3 1)/6
       r = (4/3) / sqrt(4 * 5/9)              =  0.894427
    D  5 4 2 1   with  2    8/3  14/3 14/3    deviations 2 1 -1 -2        with (-9 -5 7 7)/6
       r = (-44/6) / sqrt(10 * 204/36)        = -0.974176

D goes. Of A, B and C, with t(0.975, 5) = 2.570582:

    X  2 3 1 2 3 3   mean 14/6, s^2 = (10/3)/5 = 2/3,   half = 2.570582 sqrt(2/3/6)  = 0.856861
    T  4 5 5 4 5 5   mean 28/6, s^2 = (12/9)/5 = 4/15,  half = 2.570582 sqrt(4/15/6) = 0.541926

Clips' means X 2, 8/3; T 14/3, 14/3. T - X: 8/3, 2; mean 7/3, s = sqrt(2)/3, standard error 1/3, so
t = 7 with one degree of freedom: p = 1 - 2 atan(7) / pi = 0.090334, and t(0.975, 1) = 12.706205
gives half = 4.235402.
"""

from nwt_tf.evaluation.mos.ratings import Rating

SCORES = {
    "A": (2, 3, 4, 5, 2, 5),
    "B": (1, 2, 5, 4, 2, 4),
    "C": (3, 3, 5, 5, 2, 5),
    "D": (5, 4, 2, 1, 2, 5),
    "E": (2, 2, 4, 4, 4, 2),
    "F": (2, 3, 4, 4, 2, 3),
}
SHOWN = (
    ("sample", "X", "1"),
    ("sample", "X", "2"),
    ("sample", "T", "1"),
    ("sample", "T", "2"),
    ("trap", "T", "3"),
    ("gold", "T", "4"),
)
DISCARDED = {"A": "", "B": "", "C": "", "D": "correlation", "E": "trap", "F": "gold"}
CORRELATIONS = {"A": 0.547723, "B": 0.948683, "C": 0.894427, "D": -0.974176, "E": None, "F": None}
MOS = {"X": (14 / 6, 0.856861), "T": (28 / 6, 0.541926)}
T_MINUS_X = (7 / 3, 4.235402, 0.090334)


def ratings(scores=None, experiment="overall"):
    """The sheet as ratings, a task a rater."""
    return [
        Rating(
            experiment,
            rater,
            "",
            f"task of {rater}",
            role,
            system,
            clip,
            f"{role}_{system}_{clip}.mp4",
            score,
            2 if role == "trap" else 0,
        )
        for rater, row in (scores or SCORES).items()
        for (role, system, clip), score in zip(SHOWN, row, strict=True)
    ]
