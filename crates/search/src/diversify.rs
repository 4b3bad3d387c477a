//! Maximal marginal relevance: evidence that says new things rather than one thing five times.

/// Orders items by maximal marginal relevance (Carbonell and Goldstein 1998, §2):
/// each next one maximises `λ · relevance − (1 − λ) · likeness to those already taken`.
///
/// `relevance` is per item, 0 to 1; `likeness(a, b)` of two items is 0 to 1.
/// `lambda` 1 keeps the order of relevance. Returns the indices of the first `k`.
pub fn maximal_marginal_relevance(
    relevance: &[f64],
    likeness: impl Fn(usize, usize) -> f64,
    lambda: f64,
    k: usize,
) -> Vec<usize> {
    let mut taken = Vec::with_capacity(k.min(relevance.len()));
    let mut left: Vec<usize> = (0..relevance.len()).collect();
    // The greatest likeness of each item to one that is taken, kept as we go.
    let mut closest = vec![0.0_f64; relevance.len()];
    while taken.len() < k && !left.is_empty() {
        let gain = |item: usize| lambda * relevance[item] - (1.0 - lambda) * closest[item];
        let best = (0..left.len())
            .reduce(|best, at| {
                if gain(left[at]) > gain(left[best]) {
                    at
                } else {
                    best
                }
            })
            .expect("there is at least one item left");
        let item = left.remove(best);
        for other in &left {
            closest[*other] = closest[*other].max(likeness(item, *other));
        }
        taken.push(item);
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_gives_way_to_something_new() {
        let relevance = [0.9, 0.89, 0.6];
        let likeness = |a: usize, b: usize| if a + b == 1 { 1.0 } else { 0.1 };
        assert_eq!(
            maximal_marginal_relevance(&relevance, likeness, 0.5, 3),
            [0, 2, 1]
        );
        assert_eq!(
            maximal_marginal_relevance(&relevance, likeness, 1.0, 2),
            [0, 1]
        );
    }
}
