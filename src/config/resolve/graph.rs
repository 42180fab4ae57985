//! Does following references lead back to where it began?
//!
//! Models refer to models; a ring of references would let a request go round until its attempts are spent.
//!
//! # Invariants
//! - Each ring is found once, beginning at its model of the lowest index.
//! - The work is linear in the number of references.

/// How far the walk is with a model.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Visit {
    Unseen,
    Open,
    Done,
}

/// Finds rings in `references` (for each node, the nodes it refers to): each as its nodes in order.
pub(super) fn rings(references: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut visits = vec![Visit::Unseen; references.len()];
    let mut found = Vec::new();
    for start in 0..references.len() {
        if visits[start] == Visit::Unseen {
            walk(references, start, &mut visits, &mut found);
        }
    }
    found
}

/// Walks depth first from `start`, with a stack of its own so that a long chain cannot exhaust the thread's.
fn walk(
    references: &[Vec<usize>],
    start: usize,
    visits: &mut [Visit],
    found: &mut Vec<Vec<usize>>,
) {
    let mut path = vec![(start, 0)];
    visits[start] = Visit::Open;
    while let Some((node, next)) = path.last_mut() {
        let Some(&target) = references[*node].get(*next) else {
            visits[*node] = Visit::Done;
            path.pop();
            continue;
        };
        *next += 1;
        match visits[target] {
            Visit::Unseen => {
                visits[target] = Visit::Open;
                path.push((target, 0));
            }
            Visit::Open => {
                let nodes = path.iter().map(|(node, _)| *node);
                let mut ring: Vec<usize> = nodes.skip_while(|node| *node != target).collect();
                let least = (0..ring.len())
                    .min_by_key(|index| ring[*index])
                    .unwrap_or(0);
                ring.rotate_left(least);
                found.push(ring);
            }
            Visit::Done => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Lists = &'static [&'static [usize]];

    #[test]
    fn finds_rings_and_no_others() {
        let cases: [(Lists, Lists); 6] = [
            (&[&[1], &[2], &[]], &[]),
            (&[&[1, 2], &[2], &[]], &[]),
            (&[&[0]], &[&[0]]),
            (&[&[1], &[0]], &[&[0, 1]]),
            (&[&[3], &[2], &[1], &[1]], &[&[1, 2]]),
            (&[&[1, 2], &[0], &[0]], &[&[0, 1], &[0, 2]]),
        ];
        for (references, expected) in cases {
            let references: Vec<Vec<usize>> = references.iter().map(|to| to.to_vec()).collect();
            assert_eq!(rings(&references), expected, "{references:?}");
        }
    }

    #[test]
    fn a_long_chain_is_walked() {
        let mut references: Vec<Vec<usize>> = (1..100_000).map(|next| vec![next]).collect();
        references.push(Vec::new());
        assert!(rings(&references).is_empty());
    }
}
