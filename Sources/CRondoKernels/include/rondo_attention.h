// Causal softmax attention without the matrix of scores.
//
// Query t of the present stands behind `keys - time` keys of the past and sees the keys
//   max(valid_from, keys - time + t - window + 1) ... keys - time + t.
// Its output is the sum of their values, weighted by the softmax of scale q . k.
//
// Nothing is computed from a pair that is not visible: scores are selected, never added to, and products of weights
// with values run over visible pairs only, so that NaN in the future stays there.
#ifndef RONDO_ATTENTION_H
#define RONDO_ATTENTION_H

#include "rondo_kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Elements [batch][position][head], each `width` or `value_width` dense elements; strides in elements.
typedef struct {
    const void *data;
    int64_t batch, position, head;
} rk_attention_operand;

typedef struct {
    int64_t batch, time, keys, heads, groups, width, value_width;
    int64_t window;     // keys that a query sees at most, 1 ... keys
    int64_t valid_from; // keys before it do not exist
    double scale;
    rk_attention_operand q, k, v; // q: [batch, time, heads], k and v: [batch, keys, groups]
} rk_attention;

/// How the kernels cut the work and lay out their memory; depends on shapes, type and instruction set only.
typedef struct {
    int64_t query_block;                // queries of one call of rk_attention_forward
    int64_t first_block, blocks;        // blocks of keys; those before the first are not visible to any query
    int64_t block_bytes;                // one packed block of keys and values
    int64_t width, value_width;         // padded rows of queries and of values, in elements
    int64_t first_key;                   // the first that is visible to any query
    int64_t segment_keys, segment_bytes; // the keys and the results of one call of rk_attention_step
} rk_attention_layout;

/// Fills `layout` (a pointer to it is the only result).
void rk_attention_plan(rk_type type, const rk_attention *attention, rk_attention_layout *layout);

/// Packs block `block` of a row and group into packed (block_bytes): keys transposed, scaled; values dense.
void rk_attention_pack(rk_type type, const rk_attention *attention, int64_t row, int64_t group, int64_t block,
                       void *packed);

/// Outputs (dense [batch, time, heads, value_width]) and base-2 logarithms of the softmax sums ([batch, heads, time])
/// of up to query_block queries from `first` on. `packed`: blocks first_block ... of this row and group.
void rk_attention_forward(rk_type type, const rk_attention *attention, int64_t row, int64_t head, int64_t first,
                          const void *packed, void *output, void *logarithms);

/// For few queries: all heads of a row over the keys first ..< first + segment_keys, each key read once. The unfinished
/// softmaxes go to segment (segment_bytes).
void rk_attention_step(rk_type type, const rk_attention *attention, int64_t row, int64_t first, void *segment);

/// Joins a row's segments in order, results as rk_attention_forward.
void rk_attention_join(rk_type type, const rk_attention *attention, int64_t row, int64_t count, const void *segments,
                       void *output, void *logarithms);

/// For backward: queries and output gradients of some queries of a row and head, packed to padded rows, into
/// queries [batch, heads, time, width] and gradients [batch, heads, time, value_width], and dy . y into
/// products [batch, heads, time].
void rk_attention_pack_queries(rk_type type, const rk_attention *attention, int64_t row, int64_t head, int64_t first,
                               int64_t count, const rk_attention_operand *dy, const void *output, void *queries,
                               void *gradients, void *products);

/// What rk_attention_backward reads of rk_attention_pack_queries and rk_attention_forward, and where it writes.
typedef struct {
    const void *queries, *gradients, *products, *logarithms;
    void *dq;       // [batch, heads, time, width] padded: what these blocks of keys contribute, unscaled
    void *dk, *dv;  // dense [batch, keys, groups, width or value_width]
} rk_attention_gradients;

/// Blocks of keys first, first + step, ... of a row and group: their dk and dv, and their share of dq.
void rk_attention_backward(rk_type type, const rk_attention *attention, int64_t row, int64_t group, int64_t first,
                           int64_t step, const rk_attention_gradients *gradients);

/// dq (dense [batch, time, heads, width]) of some queries: the scaled sum over `parts` shares, each `part` elements
/// after the one before.
void rk_attention_sum_queries(rk_type type, const rk_attention *attention, int64_t row, int64_t head, int64_t first,
                              int64_t count, int64_t parts, int64_t part, const void *shares, void *dq);

#ifdef __cplusplus
}
#endif
#endif
