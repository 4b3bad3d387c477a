//! The directions in which vectors differ most.

/// Returns the eigenvectors of the symmetric `matrix`, `(D, D)`, as rows, those of the
/// largest eigenvalues first: Jacobi's cyclic rotations (Golub and Van Loan 2013,
/// *Matrix Computations*, §8.5.5), which are exact to rounding and the same every time.
pub(super) fn eigenvectors(matrix: &[f64], width: usize) -> Vec<Vec<f64>> {
    assert_eq!(matrix.len(), width * width, "the matrix is square");
    let mut a = matrix.to_vec();
    // Rows of `v` are the eigenvectors in the making.
    let mut v = vec![0.0; width * width];
    for i in 0..width {
        v[i * width + i] = 1.0;
    }
    let size: f64 = a.iter().map(|x| x * x).sum();
    for _sweep in 0..40 {
        let off: f64 = (0..width)
            .flat_map(|p| (p + 1..width).map(move |q| (p, q)))
            .map(|(p, q)| a[p * width + q].powi(2))
            .sum();
        if off <= 1e-22 * size {
            break;
        }
        for p in 0..width {
            for q in p + 1..width {
                rotate(&mut a, &mut v, width, p, q);
            }
        }
    }
    let mut order: Vec<usize> = (0..width).collect();
    order.sort_by(|x, y| a[y * width + y].total_cmp(&a[x * width + x]));
    order
        .into_iter()
        .map(|row| v[row * width..(row + 1) * width].to_vec())
        .collect()
}

/// Turns the plane of `p` and `q` so that `a[p][q]` becomes 0.
fn rotate(a: &mut [f64], v: &mut [f64], width: usize, p: usize, q: usize) {
    let off = a[p * width + q];
    if off == 0.0 {
        return;
    }
    let tau = (a[q * width + q] - a[p * width + p]) / (2.0 * off);
    let t = tau.signum() / (tau.abs() + (1.0 + tau * tau).sqrt());
    let c = 1.0 / (1.0 + t * t).sqrt();
    let s = t * c;
    let turn = |x: &mut f64, y: &mut f64| (*x, *y) = (c * *x - s * *y, s * *x + c * *y);
    for k in 0..width {
        let (mut x, mut y) = (a[k * width + p], a[k * width + q]);
        turn(&mut x, &mut y);
        (a[k * width + p], a[k * width + q]) = (x, y);
    }
    for matrix in [a, v] {
        let (above, below) = matrix.split_at_mut(q * width);
        let first = &mut above[p * width..(p + 1) * width];
        for (x, y) in first.iter_mut().zip(&mut below[..width]) {
            turn(x, y);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_diagonalise_the_matrix() {
        let matrix = [4.0, 1.0, 0.5, 1.0, 3.0, -1.0, 0.5, -1.0, 5.0];
        let rows = eigenvectors(&matrix, 3);
        let times = |x: &[f64], y: &[f64]| -> f64 { x.iter().zip(y).map(|(a, b)| a * b).sum() };
        let mut before = f64::INFINITY;
        for (i, row) in rows.iter().enumerate() {
            let image: Vec<f64> = matrix.chunks(3).map(|line| times(line, row)).collect();
            let value = times(&image, row);
            for (x, y) in image.iter().zip(row) {
                assert!((x - value * y).abs() < 1e-9, "{image:?} {row:?}");
            }
            assert!(value <= before, "the largest comes first");
            before = value;
            for (j, other) in rows.iter().enumerate() {
                let expect = if i == j { 1.0 } else { 0.0 };
                assert!((times(row, other) - expect).abs() < 1e-9);
            }
        }
    }
}
