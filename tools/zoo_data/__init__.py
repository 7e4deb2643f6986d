"""The zoo's image sets: one recipe a file, from a package's pictures to 64 px."""
