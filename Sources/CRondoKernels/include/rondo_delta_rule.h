// The delta rule with decay: matrix states with diagonal plus rank-one transitions, chunk by chunk.
//
// One row and head of a batch at a time. A position takes S [keys, values] to S+ and gives o (' transposes):
//   delta:    S+ = e^g (I - beta k k') S + beta k v'     k, q [keys], v [values], beta and g scalars
//   general:  S+ = Diag(e^g) S + a (b' S) + k v'         k, q, g, a, b [keys], v [values]
//   output:   o = S+' q
// Position t of an array [keys] stands at t * heads * keys, of an array [values] at t * heads * values, of a scalar at
// t * heads. See rondo_kernels.h for the conventions.
#ifndef RONDO_DELTA_RULE_H
#define RONDO_DELTA_RULE_H

#include "rondo_kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

/// The positions between two states that forward keeps for backward.
enum { RK_DELTA_RULE_CHUNK = 64 };

typedef struct {
    bool general;
    size_t time, heads, keys, values;
    const void *q, *k, *v;
    const void *g;      // delta: may be NULL, no decay
    const void *beta;   // delta only
    const void *a, *b;  // general only
    void *o;            // [time, values]
    void *state;        // [keys, values]: before on entry, after on return
    /// Kept for backward; both NULL: nothing is. `reads` [time, values] has no gaps between positions: what the state
    /// returned for b (general), or the error v - e^g S'k (delta). `states` is [chunks, values, keys]: the transposed
    /// state before each chunk.
    void *reads, *states;
} rk_delta_rule;

typedef struct {
    const void *o;  // the output's, may be NULL: zero
    void *state;    // [keys, values]: of the state after on entry, of the state before on return
    void *q, *k, *v, *g, *beta, *a, *b;  // as the arrays they belong to; g NULL where there is none
} rk_delta_rule_gradient;

/// Outputs and state for `count` columns of the values from column `first` on; columns do not depend on each other.
/// `o` and `reads` are written in these columns only.
void rk_delta_rule_forward(rk_type type, const rk_delta_rule *rule, size_t first, size_t count);

/// All gradients, from what forward kept. `state` and `o` of the rule are not read.
void rk_delta_rule_backward(rk_type type, const rk_delta_rule *rule, const rk_delta_rule_gradient *gradient);

#ifdef __cplusplus
}
#endif
#endif
