// Recurrent cells: one time loop, small cells. See rondo_kernels.h for the conventions.
#ifndef RONDO_RECURRENT_H
#define RONDO_RECURRENT_H
#endif
