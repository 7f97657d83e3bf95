"""From a workload and a board to a Program: slice, replicate, deal, place, route, schedule."""
