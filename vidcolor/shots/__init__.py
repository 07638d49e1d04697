"""Where shots begin: detection, dissolves, similarity, cut lists, contact sheets, reports."""
