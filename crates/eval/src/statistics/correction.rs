//! Corrections where several comparisons are made at once.

/// Returns p-values by Holm's step-down method (1979): the chance that any difference is claimed
/// wrongly is at most the level, however the comparisons depend on one another.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let order = ascending(p_values);
    let all = p_values.len();
    let mut corrected = vec![1.0; all];
    let mut largest = 0.0_f64;
    for (place, index) in order.into_iter().enumerate() {
        largest = largest.max((all - place) as f64 * p_values[index]).min(1.0);
        corrected[index] = largest;
    }
    corrected
}

/// Returns p-values by Benjamini and Hochberg's step-up method (1995): of the differences that
/// are claimed, on the mean at most a share of the level is wrong.
pub fn benjamini_hochberg(p_values: &[f64]) -> Vec<f64> {
    let order = ascending(p_values);
    let all = p_values.len();
    let mut corrected = vec![1.0; all];
    let mut smallest = 1.0_f64;
    for (place, index) in order.into_iter().enumerate().rev() {
        smallest = smallest.min(all as f64 / (place + 1) as f64 * p_values[index]);
        corrected[index] = smallest;
    }
    corrected
}

fn ascending(p_values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(found: &[f64], expect: &[f64]) {
        let near = found.iter().zip(expect).all(|(a, b)| (a - b).abs() < 1e-12);
        assert!(near && found.len() == expect.len(), "{found:?}");
    }

    // Expected values: R 4's `p.adjust`, whose definitions these are, worked out by hand; those
    // of Benjamini and Hochberg are also `scipy.stats.false_discovery_control`'s.
    #[test]
    fn p_values_are_corrected_in_steps() {
        let p = [0.01, 0.04, 0.03, 0.005];
        check(&holm(&p), &[0.03, 0.06, 0.06, 0.02]);
        check(&benjamini_hochberg(&p), &[0.02, 0.04, 0.04, 0.02]);
        check(&holm(&[0.9, 0.8]), &[1.0, 1.0]);
        check(&holm(&[]), &[]);
        check(&benjamini_hochberg(&[0.5]), &[0.5]);
    }
}
