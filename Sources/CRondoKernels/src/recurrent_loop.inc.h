// The time loop, forward and backward.
//
// A task owns some rows and some blocks of units for the whole sequence. Blocks of different heads never meet, nor do
// rows: such tasks run freely. Where a head is split, its tasks meet at a barrier once a step: forward after h is
// written, backward after the gate gradients are.

enum { ROWS_AT_ONCE = 48 };

RK_INLINE size_t row_length(const rk_recurrent *y, size_t row) {
    return (size_t)(y->lengths ? y->lengths[row] : y->time);
}

/// Points `place` at the vectors of a row at a step; false beyond the row's length.
static bool place_row(const loop *l, size_t row, size_t step, row_place *place) {
    const rk_recurrent *y = l->layer;
    const size_t length = row_length(y, row), units = l->units, batch = (size_t)y->batch;
    if (step >= length) return false;
    const size_t t = y->reverse ? length - 1 - step : step, position = t * batch + row;
    const size_t before = (position + (y->reverse ? batch : 0)) * units, after = (position + (y->reverse ? 0 : batch)) * units;
    *place = (row_place){.row = row};
    place->x = (const T *)y->projection + (int64_t)t * y->projection_time + (int64_t)row * y->projection_row;
    for (int s = 0; s < l->cell.states; s++) {
        bool one_slot = s > 0 && !y->saved;
        place->before[s] = (T *)y->states[s] + (one_slot ? row * units : before);
        place->after[s] = (T *)y->states[s] + (one_slot ? row * units : after);
    }
    place->input = y->mask ? (T *)y->inputs + before : place->before[0];
    if (y->mask) {
        place->mask = (const T *)y->mask + row * units;
        place->next_input = (T *)y->inputs + after;
    }
    for (int s = 0; s < 2; s++)
        if (y->zoneout[s])
            place->zoneout[s] = (const T *)y->zoneout[s] + (int64_t)t * y->zoneout_time + (int64_t)row * y->zoneout_row;
    if (y->saved) place->saved = (T *)y->saved + position * (size_t)l->cell.saved * units;
    if (!l->dgates) return true;
    place->dgates = l->dgates + position * (size_t)l->cell.columns * units;
    if (l->dy) place->dy = (const T *)l->dy + (int64_t)t * l->dy_time + (int64_t)row * l->dy_row;
    for (int s = 0; s < l->cell.states; s++) place->dstate[s] = l->dstates[s] + row * units;
    place->dextras = l->dextras + row * (size_t)l->cell.extras * units;
    place->dbias = l->dbias + row * (size_t)l->cell.projection * units;
    return true;
}

/// Places the rows of [*next, end) that are active at a step, at most ROWS_AT_ONCE; moves *next past them.
static size_t place_rows(const loop *l, size_t *next, size_t end, size_t step, row_place *places) {
    size_t count = 0;
    for (; *next < end && count < ROWS_AT_ONCE; ++*next) count += place_row(l, *next, step, places + count);
    return count;
}

/// The size of the group of rows that starts at `row`: nearly equal groups of at most a tile.
RK_INLINE int group_size(const loop *l, size_t count, size_t row) {
    size_t left = count - row, groups = (left + l->tile_rows - 1) / l->tile_rows;
    return (int)((left + groups - 1) / groups);
}

/// Where a block of units lies.
typedef struct {
    size_t head, begin, unit, left;  // begin is within the head; unit = begin + head * width
} block_place;

RK_INLINE block_place place_block(const loop *l, size_t block) {
    size_t width = (size_t)l->layer->width, lanes = (size_t)l->block_vectors * LANES;
    size_t head = block / l->blocks, begin = block % l->blocks * lanes;
    size_t left = width - begin < lanes ? width - begin : lanes;
    return (block_place){head, begin, head * width + begin, left};
}

// --- forward -------------------------------------------------------------------------------------

static void forward_block(const loop *l, const row_place *rows, size_t count, size_t index) {
    const block_place block = place_block(l, index);
    const packed *pack = &l->pack[0];
    const size_t width = (size_t)l->layer->width, lanes = (size_t)pack->vectors * LANES;
    const runs k = {1, width, 0};
    const T *panel = pack->data + (block.head * pack->panels + block.begin / lanes) * pack->panel_size;
    T products[TILE_SIZE];
    int panels = 1;
    for (size_t done = 0; done < block.left; done += (size_t)panels * lanes, panel += (size_t)panels * pack->panel_size) {
        panels = panels_at_once(count, (block.left - done + lanes - 1) / lanes);
        for (size_t first = 0; first < count;) {
            const T *a[TILE_ROWS];
            int group = group_size(l, count, first);
            for (int i = 0; i < group; i++) a[i] = rows[first + (size_t)i].input + block.head * width;
            multiply_panels(panels, group, pack->gates * pack->vectors, a, k, panel, products);
            for (int p = 0; p < panels; p++)
                l->forward(l, rows + first, group, block.unit + done + (size_t)p * lanes, block.left - done - (size_t)p * lanes,
                           pack->vectors, products + (size_t)p * (size_t)pack->gates * lanes);
            first += (size_t)group;
        }
    }
}

/// A step, forward or backward, of a cell that needs whole rows, in the heads of a range.
static void step_rows(const loop *l, recurrent_range range, const row_place *rows, size_t count) {
    T *scratch = l->scratch + range.task * TILE_ROWS * ROW_VECTORS * l->lanes;
    for (size_t head = range.block_begin / l->blocks; head < range.block_end / l->blocks; head++)
        for (size_t first = 0; first < count;) {
            int group = group_size(l, count, first);
            l->row_step(l, rows + first, group, head, scratch);
            first += (size_t)group;
        }
}

RK_INLINE double monotonic_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/// Waits for the other members of the team; the first one counts for how long.
static void meet(const loop *l, recurrent_range range, rk_barrier *barrier) {
    if (!barrier) return;
    double start = range.task == 0 ? monotonic_seconds() : 0;
    rk_barrier_wait(barrier);
    if (range.task == 0) *l->waited += monotonic_seconds() - start;
}

static void run_forward(const loop *l, recurrent_range range, rk_barrier *barrier) {
    row_place rows[ROWS_AT_ONCE];
    for (size_t step = 0; step < (size_t)l->layer->time; step++) {
        for (size_t next = range.row_begin; next < range.row_end;) {
            size_t count = place_rows(l, &next, range.row_end, step, rows);
            if (l->row_step) step_rows(l, range, rows, count);
            for (size_t block = range.block_begin; block < range.block_end && count > 0 && !l->row_step; block++)
                forward_block(l, rows, count, block);
        }
        meet(l, range, barrier);
    }
}

// --- backward ------------------------------------------------------------------------------------

/// Adds the gradient that a block of h before gets through R (and the mask) to what it got past R.
static void backward_block(const loop *l, const row_place *rows, size_t count, size_t index) {
    const block_place block = place_block(l, index);
    const packed *pack = &l->pack[0];
    const size_t width = (size_t)l->layer->width, lanes = (size_t)pack->vectors * LANES;
    const runs k = {(size_t)pack->gates, width, l->units};
    const T *panel = pack->data + (block.head * pack->panels + block.begin / lanes) * pack->panel_size;
    T products[TILE_SIZE];
    for (size_t first = 0; first < count;) {
        const T *a[TILE_ROWS];
        int group = group_size(l, count, first);
        for (int i = 0; i < group; i++) a[i] = rows[first + (size_t)i].dgates + block.head * width;
        multiply_panels(1, group, pack->vectors, a, k, panel, products);
        for (int i = 0; i < group; i++) {
            const row_place *row = rows + first + i;
            for (size_t u = 0; u < block.left; u += LANES) {
                size_t part = block.left - u;
                V through = v_load(products + (size_t)i * lanes + u);
                if (row->mask) through = through * v_load_up_to(row->mask + block.unit + u, part);
                T *dh = row->dstate[0] + block.unit + u;
                v_store_up_to(dh, v_load_up_to(dh, part) + through, part);
            }
        }
        first += (size_t)group;
    }
}

static void run_backward(const loop *l, recurrent_range range, rk_barrier *barrier) {
    row_place rows[ROWS_AT_ONCE];
    for (size_t step = (size_t)l->layer->time; step-- > 0;) {
        // With a barrier all rows take each half of the step together.
        for (int half = 0; half < 2; half++) {
            for (size_t next = range.row_begin; next < range.row_end;) {
                size_t count = place_rows(l, &next, range.row_end, step, rows);
                if (l->row_step && half == 0) step_rows(l, range, rows, count);
                for (size_t block = range.block_begin; block < range.block_end && count > 0 && !l->row_step; block++) {
                    block_place units = place_block(l, block);
                    if (half == 0) l->backward(l, rows, count, units.unit, units.left);
                    else backward_block(l, rows, count, block);
                }
            }
            if (half == 0) meet(l, range, barrier);
        }
    }
}

// --- splitting -----------------------------------------------------------------------------------

typedef struct {
    const loop *loop;
    void (*run)(const loop *l, recurrent_range range, rk_barrier *barrier);
    size_t row_parts, block_parts;
} splitting;

RK_INLINE size_t part_begin(size_t count, size_t part, size_t parts) { return count * part / parts; }

static recurrent_range range_of(const splitting *s, size_t rank) {
    const size_t rows = (size_t)s->loop->layer->batch, row_part = rank % s->row_parts, part = rank / s->row_parts;
    // Free tasks take whole heads; tasks of a team any blocks.
    const size_t unit = s->block_parts <= (size_t)s->loop->layer->heads ? s->loop->blocks : 1;
    const size_t blocks = s->loop->blocks * (size_t)s->loop->layer->heads / unit;
    return (recurrent_range){part_begin(rows, row_part, s->row_parts), part_begin(rows, row_part + 1, s->row_parts),
                             part_begin(blocks, part, s->block_parts) * unit,
                             part_begin(blocks, part + 1, s->block_parts) * unit, rank};
}

static void split_task(void *context, size_t index) {
    const splitting *s = context;
    s->run(s->loop, range_of(s, index), NULL);
}

static void split_member(void *context, int rank, int size, rk_barrier *barrier) {
    splitting team = *(const splitting *)context;
    team.block_parts = (size_t)size;
    team.run(team.loop, range_of(&team, (size_t)rank), size > 1 ? barrier : NULL);
}

// On a machine that is busy with something else a member loses its core for milliseconds and all wait for it, at every
// step. After a call that mostly waited, layers do without teams for a while, longer each time; results are the same.
static atomic_int team_rest, team_penalty;
enum { FIRST_PENALTY = 4, LAST_PENALTY = 512 };
static const double LONG_WAIT = 50e-6;  // a step; some tenths of a microsecond are usual

static void run_team(splitting s, size_t threads) {
    loop shared = *s.loop;
    double waited = 0, start = monotonic_seconds();
    shared.waited = &waited;
    s.loop = &shared;
    rk_team((int)(threads < shared.blocks ? threads : shared.blocks), split_member, &s);
    if (waited < LONG_WAIT * (double)shared.layer->time || 2 * waited < monotonic_seconds() - start) {
        atomic_store(&team_penalty, 0);
        return;
    }
    int penalty = atomic_load(&team_penalty) * 2;
    penalty = penalty < FIRST_PENALTY ? FIRST_PENALTY : penalty > LAST_PENALTY ? LAST_PENALTY : penalty;
    atomic_store(&team_penalty, penalty);
    atomic_store(&team_rest, penalty);
}

/// Whether a team may try now; counts the calls that have to do without.
static bool team_may_run(void) {
    int rest = atomic_load(&team_rest);
    if (rest > 0) atomic_store(&team_rest, rest - 1);
    return rest == 0;
}

/// Rows go to threads if there are enough for whole tiles, and heads in groups whose matrices a core can keep. Else the
/// heads go to threads; and if there is one head only, a team shares its units. A matrix too large for a core's own
/// cache is better shared when few rows use what is read.
static void split(const loop *l, void (*run)(const loop *, recurrent_range, rk_barrier *)) {
    const rk_recurrent *y = l->layer;
    const size_t rows = (size_t)y->batch, heads = (size_t)y->heads;
    const size_t bytes = l->pack[0].panel_size * l->pack[0].panels * sizeof(T);
    // A single small step is over before a second thread has woken up.
    const size_t threads = y->time == 1 && bytes * heads < ALONE_BYTES ? 1 : (size_t)rk_threads();
    bool few = rows < threads * (bytes > KEPT_MATRIX_BYTES ? SHARED_MATRIX_ROWS : TILE_ROWS);
    splitting s = {l, run, 1, 1};
    if (heads == 1 && few && !l->row_step && l->blocks > 1 && threads > 1 && team_may_run()) return run_team(s, threads);
    size_t together = bytes < KEPT_MATRIX_BYTES ? KEPT_MATRIX_BYTES / bytes : 1;
    if (y->heads_together > 0) together = (size_t)y->heads_together;
    s.block_parts = (heads + together - 1) / together;
    if (few && s.block_parts < threads) s.block_parts = heads < threads ? heads : threads;
    if (!few || heads == 1) s.row_parts = rows < threads ? rows : threads;
    if (rows > 0) rk_parallel(s.row_parts * s.block_parts, split_task, &s);
}
