"""Do several groups of clicks follow one curve? Scores, their covariance, and the joint test.

Given its clicks C_i, those of item i at position k are on average C_i p_ik with
p_ik = n_ik theta_k / sum_l n_il theta_l, whatever its relevance. The excess of group g at k,

    S_gk = sum_{i in g} (c_ik - C_i p_ik)

therefore has mean 0 in every group if one curve holds. theta is estimated from the same clicks:
with H_g = sum_{i in g} C_i (diag(p_i) - p_i p_i') the information of a group and H their sum, an
error d of log theta moves S_g by -H_g d. So

    T_g = S_g - H_g H^+ sum_h S_h

is free of that error, and T' V^+ T is chi-square with (groups - 1)(positions - 1) degrees of
freedom. V, the covariance of T, follows from sums over queries (clicks of one query depend on
each other). Excesses of fewer than ten expected clicks are left out: their distribution is not
normal, and a position without any click would seem to have no variance.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse
from scipy.linalg import block_diag

from label_platform.propensity.cells import Cells, Floats, Integers
from label_platform.propensity.gates.chi_square import JointTest, chi_square_test

_MIN_EXPECTED_CLICKS = 10
_TOLERANCE = 1e-6
_STEPS = 8
_MAX_CHANGE = 1.0


@dataclass(frozen=True, eq=False)
class GroupedClicks:
    """Cells whose query_items fall into groups that may have curves of their own.

    Attributes:
        cells: query_items of several positions; those of different groups have different codes.
        group: of each query_item.
        groups: how many there are.
        theta: the one curve of all groups, shape (K,); 0 at positions that are left out.
    """

    cells: Cells
    group: Integers
    groups: int
    theta: Floats

    @classmethod
    def of(cls, cells: Cells, group: Integers, groups: int, propensity: Floats) -> "GroupedClicks":
        """With the curve that fits all groups best.

        Args:
            cells: clicks and impressions.
            group: of each query_item.
            groups: how many there are.
            propensity: where to begin, shape (K,); nan or 0 leaves a position out.
        """
        theta = np.where(np.isfinite(propensity), propensity, 0.0)
        usable = (theta > 0)[cells.position - 1] & (cells.impressions > 0)
        kept = cells.where(usable).of_several_positions()
        found = cls(kept, group, groups, theta)
        for _ in range(_STEPS):
            score = kept.by_position(found.scores())
            step = _inverse(found.information().sum(axis=0)) @ score
            change = np.exp(np.clip(step, -_MAX_CHANGE, _MAX_CHANGE))
            found = cls(kept, group, groups, found.theta * change)
            if np.abs(step).max(initial=0) < _TOLERANCE:
                break
        return found

    def shares(self) -> Floats:
        """p_ik of each cell."""
        expected = self.cells.impressions * self.theta[self.cells.position - 1]
        return expected / self.cells.by_query_item(expected)[self.cells.query_item]

    def expected_clicks(self) -> Floats:
        """C_i p_ik of each cell."""
        return self.cells.by_query_item(self.cells.clicks)[self.cells.query_item] * self.shares()

    def scores(self) -> Floats:
        """c_ik - C_i p_ik of each cell."""
        return self.cells.clicks - self.expected_clicks()

    def information(self) -> Floats:
        """H_g of each group, shape (groups, K, K)."""
        cells, length = self.cells, self.cells.positions
        expected = self.expected_clicks()
        of_cell = self.group[cells.query_item]
        place = of_cell * length + cells.position - 1
        total = np.bincount(place, expected, self.groups * length).reshape(self.groups, length)
        roots = np.sqrt(expected * self.shares())
        crossed = np.zeros((self.groups, length, length))
        shape = (cells.n_query_items, length)
        rows = sparse.csr_array((roots, (cells.query_item, cells.position - 1)), shape=shape)
        for number in range(self.groups):
            member = rows[self.group == number]
            crossed[number] = (member.T @ member).toarray()
        return np.asarray(total[:, :, None] * np.eye(length) - crossed, dtype=np.float64)

    def covariance(self) -> Floats:
        """Of S, clustered by query, shape (groups * K, groups * K)."""
        rows = self.by_query(self.scores())
        return np.asarray((rows.T @ rows).toarray(), dtype=np.float64)

    def by_query(self, values: Floats) -> sparse.csr_array:
        """Sums over the cells of each query, shape (queries, groups * K)."""
        query = self.cells.query_of[self.cells.query_item]
        shape = (int(query.max(initial=0)) + 1, self.groups * self.cells.positions)
        return sparse.csr_array((values, (query, self._place())), shape=shape)

    def pooled_covariance(self) -> Floats:
        """Of S, shape (groups * K, groups * K), for many groups of few clicks each.

        The covariance that independent clicks would have is H_g. How much more there is, by
        clustering, is learned from all groups together: with B = R (sum V_g) R, R the root of
        H^+ and V_g clustered by query within group g, group g has H_g^(1/2) B H_g^(1/2).
        """
        cells, information = self.cells, self.information()
        query = cells.query_of[cells.query_item] * self.groups + self.group[cells.query_item]
        shape = (int(query.max(initial=0)) + 1, cells.positions)
        rows = sparse.csr_array((self.scores(), (query, cells.position - 1)), shape=shape)
        whole = (rows.T @ rows).toarray()
        inverse_root = _root(_inverse(information.sum(axis=0)))
        excess = inverse_root @ whole @ inverse_root
        roots = [_root(of_group) for of_group in information]
        return np.asarray(block_diag(*[root @ excess @ root for root in roots]))

    def clusters(self, *, within_group: bool) -> float:
        """How many queries (of each group) of equal clicks would tell as much (Kish 1965)."""
        query = self.cells.query_of[self.cells.query_item]
        code = query * self.groups + self.group[self.cells.query_item] if within_group else query
        clicks = np.bincount(code, self.cells.clicks)
        return float(clicks.sum() ** 2 / max((clicks**2).sum(), 1.0))

    def test(
        self,
        covariance: Floats,
        alternative_clicks: Floats,
        significance: float,
        clusters: float,
    ) -> JointTest:
        """Whether one curve holds in all groups.

        Args:
            covariance: of S, shape (groups * K, groups * K).
            alternative_clicks: the mean clicks of each cell under the alternative.
            significance: for the power.
            clusters: how many the covariance was estimated from.
        """
        project, tested = self.projection(), self.tested_places()
        excess = (project @ self.summed(self.scores()))[tested]
        of_excess = (project @ covariance @ project.T)[np.ix_(tested, tested)]
        alternative = self.shift(alternative_clicks)[tested]
        return chi_square_test(excess, of_excess, alternative, significance, clusters)

    def shift(self, alternative_clicks: Floats) -> Floats:
        """The mean of T under the alternative, over how much more its clicks vary.

        Args:
            alternative_clicks: the mean clicks of each cell under the alternative.
        """
        changed = replace(self.cells, clicks=alternative_clicks)
        other = GroupedClicks.of(changed, self.group, self.groups, self.theta)
        shift = other.projection() @ other.summed(other.scores())
        # clicks that are more than those there are also vary more
        before, after = self.summed(self.expected_clicks()), self.summed(alternative_clicks)
        grown = np.sqrt(np.divide(after, before, out=np.ones_like(after), where=before > 0))
        return np.asarray(shift / grown, dtype=np.float64)

    def _place(self) -> Integers:
        of_cell = self.group[self.cells.query_item]
        return np.asarray(of_cell * self.cells.positions + self.cells.position - 1)

    def summed(self, values: Floats) -> Floats:
        """Sums over the cells of each group and position, shape (groups * K,)."""
        size = self.groups * self.cells.positions
        return np.bincount(self._place(), values, size).astype(np.float64)

    def projection(self) -> Floats:
        """The matrix that makes T of S."""
        information = self.information()
        length = self.cells.positions
        inverse = _inverse(information.sum(axis=0))
        moved = (information @ inverse).reshape(self.groups * length, length)
        return np.eye(self.groups * length) - np.tile(moved, (1, self.groups))

    def tested_places(self) -> Integers:
        """Places in T of positions with clicks enough; each group's fullest is implied."""
        expected = self.summed(self.expected_clicks()).reshape(self.groups, -1)
        enough = expected >= _MIN_EXPECTED_CLICKS
        enough[np.arange(self.groups), expected.argmax(axis=1)] = False
        return np.flatnonzero(enough)


def stacked(parts: Sequence[Cells]) -> Cells:
    """Cells of all parts, whose query_items get codes of their own."""
    starts = np.cumsum([0, *(part.n_query_items for part in parts[:-1])])
    codes = [part.query_item + start for part, start in zip(parts, starts, strict=True)]
    return Cells(
        query_item=np.concatenate(codes),
        position=np.concatenate([part.position for part in parts]),
        impressions=np.concatenate([part.impressions for part in parts]),
        clicks=np.concatenate([part.clicks for part in parts]),
        query_of=np.concatenate([part.query_of for part in parts]),
        positions=max(part.positions for part in parts),
    )


def _inverse(information: Floats) -> Floats:
    """The inverse but for what clicks do not tell: the scale of each set of joined positions."""
    return np.asarray(np.linalg.pinv(information, rcond=1e-10, hermitian=True), dtype=np.float64)


def _root(matrix: Floats) -> Floats:
    """The symmetric square root of a positive semi-definite matrix."""
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T, dtype=np.float64)
