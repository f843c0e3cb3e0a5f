// The alternating schedule: at every step one product for all rows and heads, then the cells of all rows.
//
// The elements are computed as in the fused schedule, so that both give the same bits.

enum { CELL_ROWS = 16, LITTLE_WORK = 1 << 16 };

/// Elements of the products of one row with one panel.
RK_INLINE size_t product_size(const loop *l) { return (size_t)(l->pack[0].gates * l->pack[0].vectors) * LANES; }

/// The active rows of one step.
typedef struct {
    const loop *loop;
    size_t count;
} step_of_rows;

static step_of_rows all_rows(const loop *l, size_t step) {
    step_of_rows all = {l, 0};
    for (size_t row = 0; row < (size_t)l->layer->batch; row++) all.count += place_row(l, row, step, l->places + all.count);
    return all;
}

/// Runs tasks on all threads if there is enough to do for a wake-up.
static void run_tasks(const step_of_rows *s, size_t count, void (*task)(void *context, size_t index)) {
    const loop *l = s->loop;
    const size_t work = s->count * l->units * (size_t)l->layer->width * (size_t)l->cell.recurrent;
    if (work >= LITTLE_WORK) return rk_parallel(count, task, (void *)s);
    for (size_t i = 0; i < count; i++) task((void *)s, i);
}

RK_INLINE size_t row_groups(const step_of_rows *s) { return (s->count + CELL_ROWS - 1) / CELL_ROWS; }

/// All rows of a step times one panel of one head.
static void multiply_task(void *context, size_t index) {
    const step_of_rows *s = context;
    const loop *l = s->loop;
    const packed *pack = &l->pack[0];
    const size_t width = (size_t)l->layer->width, head = index / pack->panels;
    T *out = l->products + index * (size_t)l->layer->batch * product_size(l);
    for (size_t first = 0; first < s->count;) {
        const T *a[TILE_ROWS];
        int group = group_size(l, s->count, first);
        for (int i = 0; i < group; i++) a[i] = l->places[first + (size_t)i].input + head * width;
        multiply_panels(1, group, pack->gates * pack->vectors, a, (runs){1, width, 0}, pack->data + index * pack->panel_size,
                        out + first * product_size(l));
        first += (size_t)group;
    }
}

/// The cells of some rows in one head, from their products.
static void cell_task(void *context, size_t index) {
    const step_of_rows *s = context;
    const loop *l = s->loop;
    const packed *pack = &l->pack[0];
    const size_t width = (size_t)l->layer->width, lanes = (size_t)pack->vectors * LANES;
    const size_t head = index / row_groups(s), first = index % row_groups(s) * CELL_ROWS;
    const size_t count = s->count - first < CELL_ROWS ? s->count - first : CELL_ROWS;
    for (size_t p = 0; p < pack->panels; p++) {
        const T *products = l->products + ((head * pack->panels + p) * (size_t)l->layer->batch + first) * product_size(l);
        l->forward(l, l->places + first, (int)count, head * width + p * lanes, width - p * lanes, pack->vectors, products);
    }
}

/// A step of a cell that needs whole rows, in one head.
static void row_cell_task(void *context, size_t head) {
    const step_of_rows *s = context;
    const size_t blocks = s->loop->blocks;
    step_rows(s->loop, (recurrent_range){0, 0, head * blocks, (head + 1) * blocks, head}, s->loop->places, s->count);
}

static void alternate_forward(const loop *l) {
    const size_t heads = (size_t)l->layer->heads;
    for (size_t step = 0; step < (size_t)l->layer->time; step++) {
        const step_of_rows s = all_rows(l, step);
        if (s.count == 0) continue;
        if (l->row_step) {
            run_tasks(&s, heads, row_cell_task);
            continue;
        }
        run_tasks(&s, heads * l->pack[0].panels, multiply_task);
        run_tasks(&s, heads * row_groups(&s), cell_task);
    }
}

/// The gradients of the cells of some rows in one head.
static void cell_back_task(void *context, size_t index) {
    const step_of_rows *s = context;
    const loop *l = s->loop;
    const size_t width = (size_t)l->layer->width;
    const size_t head = index / row_groups(s), first = index % row_groups(s) * CELL_ROWS;
    const size_t count = s->count - first < CELL_ROWS ? s->count - first : CELL_ROWS;
    l->backward(l, l->places + first, count, head * width, width);
}

/// What one block of h before gets through R, all rows.
static void multiply_back_task(void *context, size_t block) {
    const step_of_rows *s = context;
    backward_block(s->loop, s->loop->places, s->count, block);
}

static void alternate_backward(const loop *l) {
    const size_t heads = (size_t)l->layer->heads;
    for (size_t step = (size_t)l->layer->time; step-- > 0;) {
        const step_of_rows s = all_rows(l, step);
        if (s.count == 0) continue;
        if (l->row_step) {
            run_tasks(&s, heads, row_cell_task);
            continue;
        }
        run_tasks(&s, heads * row_groups(&s), cell_back_task);
        run_tasks(&s, heads * l->blocks, multiply_back_task);
    }
}
