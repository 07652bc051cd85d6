/* Every rank speaks with every other. With `abort`, the last one calls MPI_Abort and the others wait for it. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
    int rank, size, sum = 0, length, right = 1;
    char name[MPI_MAX_PROCESSOR_NAME];
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (argc > 1 && strcmp(argv[1], "abort") == 0 && rank == size - 1)
        MPI_Abort(MPI_COMM_WORLD, 7);
    MPI_Allreduce(&rank, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    int *mine = malloc(size * sizeof(int)), *theirs = malloc(size * sizeof(int));
    for (int i = 0; i < size; i++)
        mine[i] = rank * 1000 + i;
    MPI_Alltoall(mine, 1, MPI_INT, theirs, 1, MPI_INT, MPI_COMM_WORLD);
    for (int i = 0; i < size; i++)
        right &= theirs[i] == i * 1000 + rank;
    MPI_Get_processor_name(name, &length);
    printf("%d of %d on %s: %d %s\n", rank, size, name, sum, right ? "right" : "wrong");
    free(mine);
    free(theirs);
    MPI_Finalize();
    return 0;
}
