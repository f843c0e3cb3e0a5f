#ifndef RONDO_FFT_H
#define RONDO_FFT_H
#endif
