//! `PMI_process_mapping`: which ranks share a node, as `(vector,(FIRST,NODES,TASKS),...)`.

/// The mapping of a step by the tasks of each of its nodes. Each part says that each of `NODES` nodes from `FIRST` on
/// has the next `TASKS` ranks.
pub(super) fn mapping(layout: &[Vec<u32>]) -> String {
    let mut placed: Vec<(u32, usize)> =
        layout.iter().enumerate().flat_map(|(node, ranks)| ranks.iter().map(move |rank| (*rank, node))).collect();
    placed.sort_unstable();
    // Ranks in a row on one node, then nodes in a row with as many each.
    let mut blocks: Vec<(usize, usize, usize)> = Vec::new();
    for run in placed.chunk_by(|a, b| a.1 == b.1) {
        let Some((_, node)) = run.first() else { continue };
        match blocks.last_mut() {
            Some((first, nodes, tasks)) if *first + *nodes == *node && *tasks == run.len() => *nodes += 1,
            _ => blocks.push((*node, 1, run.len())),
        }
    }
    let blocks: String = blocks.iter().map(|(first, nodes, tasks)| format!(",({first},{nodes},{tasks})")).collect();
    format!("(vector{blocks})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn mappings_are_slurms() {
        let of = |layout: &[&[u32]]| mapping(&layout.iter().map(|ranks| ranks.to_vec()).collect::<Vec<_>>());
        assert_eq!(of(&[&[0]]), "(vector,(0,1,1))");
        assert_eq!(of(&[&[0, 1], &[2, 3]]), "(vector,(0,2,2))");
        assert_eq!(of(&[&[0, 1, 2], &[3]]), "(vector,(0,1,3),(1,1,1))");
        assert_eq!(of(&[&[0, 2], &[1, 3]]), "(vector,(0,2,1),(0,2,1))");
        assert_eq!(of(&[&[0, 2, 4], &[1, 3]]), "(vector,(0,2,1),(0,2,1),(0,1,1))");
        assert_eq!(of(&[&[0, 1, 4], &[2, 3]]), "(vector,(0,2,2),(0,1,1))");
        assert_eq!(of(&[&[2], &[0, 1]]), "(vector,(1,1,2),(0,1,1))");
    }

    proptest! {
        #[test]
        fn every_rank_is_where_it_is_said_to_be(nodes in prop::collection::vec(0usize..5, 1..60)) {
            let mut layout = vec![Vec::new(); 5];
            nodes.iter().zip(0u32..).for_each(|(node, rank)| layout[*node].push(rank));
            let text = mapping(&layout);
            let numbers: Vec<usize> =
                text.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect();
            let mut back = Vec::new();
            for block in numbers.chunks(3) {
                (block[0]..block[0] + block[1]).for_each(|node| back.extend(std::iter::repeat_n(node, block[2])));
            }
            prop_assert_eq!(back, nodes);
        }
    }
}
