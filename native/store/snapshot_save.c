/* snapshot_save.c: writing a store to a file; dualmem.h says what may run meanwhile, snapshot.h what is written.
 *
 * The associations are read first, then the bindings, then the nodes: a concept's version is the one that its list of bindings was read at,
 * and no version is older than a list of associations. Each list is kept no longer than it takes to write it: what a save needs
 * besides the store is a buffer and four bytes per concept. */
#include <errno.h>
#include <string.h>

#include "store/snapshot.h"
#include "store/store.h"
#include "store/whole_file.h"

#include "store/poison.h"

/* Checksum and write go over the same bytes: a piece stays in the second-level cache between them. */
enum { PIECE = 256 * 1024 };

typedef struct saver {
    dm_store *store;
    dm_whole_file file; /* its failure is ENOMEM also for memory of our own */
    uint64_t offset;
    uint32_t crc;
    size_t filled;
    unsigned char *buffer; /* PIECE bytes */
    uint32_t *versions;    /* [concept index] of the moment at which its bindings were read */
    dm_edge *edges;
    uint32_t edge_capacity;
    dm_memory memory;
    dm_checksum checksum;
    dm_snapshot_header header;
} saver;

/* --- output ------------------------------------------------------------------------------------------------------- */

static void put_piece(saver *state, const void *bytes, size_t size) {
    state->crc = state->checksum.variant->update(&state->checksum.tables, state->crc, bytes, size);
    dm_whole_file_write(&state->file, bytes, size, state->offset);
    state->offset += size;
}

static void flush(saver *state) {
    put_piece(state, state->buffer, state->filled);
    state->filled = 0;
}

static void begin_section(saver *state, dm_snapshot_part part) {
    state->offset = state->header.sections[part].offset;
    state->crc = 0;
}

static void end_section(saver *state, dm_snapshot_part part) {
    flush(state);
    state->header.sections[part].crc = state->crc;
}

/* A record, which is smaller than a piece. */
static void put_record(saver *state, const void *record, size_t size) {
    if (state->filled + size > PIECE) {
        flush(state);
    }
    memcpy(state->buffer + state->filled, record, size);
    state->filled += size;
}

/* --- lists --------------------------------------------------------------------------------------------------------- */

/* Room for more than `count` edges; what was there is lost. 0: no memory. */
static int make_room(saver *state, uint32_t count) {
    dm_memory_free(&state->memory, state->edges);
    state->edge_capacity = count + count / 2 + 64; /* below 2^28: a node has as many partners as a type has nodes */
    state->edges = dm_memory_allocate(&state->memory, state->edge_capacity * sizeof(dm_edge), DM_CACHE_LINE, 0);
    if (state->edges == NULL) {
        state->edge_capacity = 0;
        state->file.failure = ENOMEM;
        return 0;
    }
    return 1;
}

static void swap_edges(dm_edge *edges, size_t a, size_t b) {
    dm_edge held = edges[a];
    edges[a] = edges[b];
    edges[b] = held;
}

static void sift(dm_edge *edges, size_t root, size_t count) {
    for (size_t child = 2 * root + 1; child < count; child = 2 * root + 1) {
        child += child + 1 < count && edges[child + 1].binding > edges[child].binding;
        if (edges[child].binding <= edges[root].binding) {
            return;
        }
        swap_edges(edges, root, child);
        root = child;
    }
}

/* By `binding`. Heap sort (Williams 1964): in place, and no list is its worst case; qsort may call the C allocator. Lists within the inline
 * block, nearly all, are in order already. */
static void sort_edges(dm_edge *edges, size_t count) {
    size_t ordered = 1;
    while (ordered < count && edges[ordered - 1].binding < edges[ordered].binding) {
        ordered++;
    }
    if (ordered >= count) {
        return;
    }
    for (size_t root = count / 2; root-- > 0;) {
        sift(edges, root, count);
    }
    for (size_t last = count; last-- > 1;) {
        swap_edges(edges, 0, last);
        sift(edges, 0, last);
    }
}

/* --- associations -------------------------------------------------------------------------------------------------- */

/* The node's associations with nodes in higher slots, in the order of these, in the saver's room for edges; their number. The others are
 * in the lists of lower slots: so each association is read once, however the two lists change between their turns. */
static uint32_t read_associations(saver *state, uint32_t slot) {
    uint32_t count = dm_store_associations(state->store, slot, state->edges, state->edge_capacity);
    while (count > state->edge_capacity) {
        if (!make_room(state, count)) {
            return 0;
        }
        count = dm_store_associations(state->store, slot, state->edges, state->edge_capacity);
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t partner = state->edges[i].slot;
        if (partner > slot) {
            state->edges[kept++] = (dm_edge){partner, partner, state->edges[i].strength}; /* the order's key is in `binding` */
        }
    }
    sort_edges(state->edges, kept);
    return kept;
}

static void put_associations_of_type(saver *state, const dm_rows_table *table, int is_concept) {
    for (uint32_t index = 0; index < table->index_count && state->file.failure == 0; index++) {
        if (dm_rows_find(table, index) == DM_ROW_NONE) {
            continue;
        }
        uint32_t count = read_associations(state, is_concept ? dm_concept_slot(index) : index);
        for (uint32_t i = 0; i < count; i++) {
            const dm_edge *edge = &state->edges[i];
            dm_snapshot_association record = {(uint32_t)is_concept, index, dm_slot_index(edge->slot), dm_bits_from_float(edge->strength)};
            put_record(state, &record, sizeof(record));
        }
        state->header.sections[DM_SNAPSHOT_ASSOCIATIONS].count += count;
    }
}

static void put_associations(saver *state) {
    const dm_store *store = state->store;
    begin_section(state, DM_SNAPSHOT_ASSOCIATIONS);
    if (dm_association_head_of(&store->associations, 0) != NULL) { /* most stores never had one: nothing to look through */
        put_associations_of_type(state, &store->episodes, 0);
        put_associations_of_type(state, &store->concepts, 1);
    }
    end_section(state, DM_SNAPSHOT_ASSOCIATIONS);
}

/* --- bindings ------------------------------------------------------------------------------------------------------ */

/* The concept's bindings at one moment, in the saver's room for edges; their number. */
static uint32_t read_edges(saver *state, uint32_t slot, uint32_t *moment) {
    for (;;) {
        uint32_t fan = dm_edges_at(state->store, slot, state->edges, state->edge_capacity, moment);
        if (fan <= state->edge_capacity) {
            return fan;
        }
        if (!make_room(state, fan)) {
            return 0;
        }
    }
}

static void put_bindings(saver *state) {
    const dm_rows_table *table = &state->store->concepts;
    dm_snapshot_section *section = &state->header.sections[DM_SNAPSHOT_BINDINGS];
    begin_section(state, DM_SNAPSHOT_BINDINGS);
    for (uint32_t index = 0; index < table->index_count && state->file.failure == 0; index++) {
        if (dm_rows_find(table, index) == DM_ROW_NONE) {
            continue;
        }
        uint32_t count = read_edges(state, dm_concept_slot(index), &state->versions[index]);
        sort_edges(state->edges, count);
        for (uint32_t i = 0; i < count; i++) {
            const dm_edge *edge = &state->edges[i];
            dm_snapshot_binding record = {edge->binding, index, edge->slot, dm_bits_from_float(edge->strength)};
            put_record(state, &record, sizeof(record));
        }
        section->count += count;
    }
    end_section(state, DM_SNAPSHOT_BINDINGS);
}

/* --- nodes --------------------------------------------------------------------------------------------------------- */

static dm_snapshot_node read_node(const saver *state, uint32_t index, int is_concept) {
    dm_store *store = state->store;
    uint32_t slot = is_concept ? dm_concept_slot(index) : index;
    const dm_node *node = dm_node_at(store, slot);
    dm_id id = dm_rows_of(store, slot)->ids[index];
    dm_snapshot_node record = {
        .id_low = id.low,
        .id_high = id.high,
        .last_access_ns = atomic_load_explicit(&node->last_access_ns, memory_order_relaxed),
        .index = index,
        .version = is_concept ? state->versions[index] / 2 : dm_store_version(store, slot),
        .activation = atomic_load_explicit(&node->activation, memory_order_relaxed),
    };
    if (is_concept) {
        dm_formation formation = dm_formation_load(&store->formations[index]);
        record.coherence = dm_bits_from_float(formation.coherence);
        record.member_count = formation.member_count;
    } else {
        record.strength = atomic_load_explicit(&node->weight, memory_order_relaxed);
    }
    return record;
}

static void put_nodes(saver *state, dm_snapshot_part part, const dm_rows_table *table) {
    begin_section(state, part);
    for (uint32_t index = 0; index < table->index_count; index++) {
        if (dm_rows_find(table, index) != DM_ROW_NONE) {
            dm_snapshot_node record = read_node(state, index, part == DM_SNAPSHOT_CONCEPTS);
            put_record(state, &record, sizeof(record));
        }
    }
    end_section(state, part);
}

/* Rows that follow each other in memory go out together, without a copy. */
static void put_rows(saver *state, dm_snapshot_part part, const dm_rows_table *table) {
    begin_section(state, part);
    size_t row_size = table->stride * sizeof(float);
    size_t most = PIECE / row_size;
    uint32_t begin = 0;
    size_t run = 0;
    for (uint32_t index = 0; index < table->index_count; index++) {
        uint32_t row = dm_rows_find(table, index);
        if (row == DM_ROW_NONE) {
            continue;
        }
        if (run > 0 && (row != begin + run || run == most)) {
            put_piece(state, table->values + begin * table->stride, run * row_size);
            run = 0;
        }
        begin = run == 0 ? row : begin;
        run++;
    }
    if (run > 0) {
        put_piece(state, table->values + begin * table->stride, run * row_size);
    }
    end_section(state, part);
}

/* Under the store's lock: no node comes, goes or gets another embedding. */
static void put_store(saver *state) {
    dm_store *store = state->store;
    dm_snapshot_header *header = &state->header;
    header->dim = store->dim;
    header->single_type = (uint32_t)store->single_type;
    header->concept_capacity = store->concepts.capacity;
    header->episode_capacity = store->episodes.capacity;
    header->sections[DM_SNAPSHOT_EPISODES].count = header->sections[DM_SNAPSHOT_EPISODE_ROWS].count = store->episodes.live;
    header->sections[DM_SNAPSHOT_CONCEPTS].count = header->sections[DM_SNAPSHOT_CONCEPT_ROWS].count = store->concepts.live;
    state->buffer = dm_memory_allocate(&state->memory, PIECE, DM_CACHE_LINE, 0);
    state->versions = dm_memory_allocate(&state->memory, store->concepts.index_count * sizeof(uint32_t), DM_CACHE_LINE, 0);
    if (state->buffer == NULL || state->versions == NULL) {
        state->file.failure = ENOMEM;
        return;
    }
    dm_snapshot_lay_out(header);
    put_associations(state);
    dm_snapshot_lay_out(header); /* now that the associations are counted, */
    put_bindings(state);
    dm_snapshot_lay_out(header); /* and the bindings */
    put_nodes(state, DM_SNAPSHOT_EPISODES, &store->episodes);
    put_nodes(state, DM_SNAPSHOT_CONCEPTS, &store->concepts);
    put_rows(state, DM_SNAPSHOT_EPISODE_ROWS, &store->episodes);
    put_rows(state, DM_SNAPSHOT_CONCEPT_ROWS, &store->concepts);
    header->crc = dm_snapshot_header_crc(&state->checksum, header);
    dm_whole_file_write(&state->file, header, sizeof(*header), 0);
    dm_whole_file_set_size(&state->file, header->file_size); /* where the last sections are empty, nothing was written up to the end */
}

int32_t dm_store_save(dm_store *store, const char *path, char *error, size_t error_size) {
    saver state = {.store = store};
    dm_whole_file_open(&state.file, path);
    if (state.file.failure == 0) {
        dm_checksum_begin(&state.checksum);
        (void)pthread_mutex_lock(&store->lock);
        put_store(&state);
        (void)pthread_mutex_unlock(&store->lock);
        dm_memory_free(&state.memory, state.buffer);
        dm_memory_free(&state.memory, state.versions);
        dm_memory_free(&state.memory, state.edges);
    }
    const int failure = dm_whole_file_close(&state.file, path);
    if (failure == ENOMEM) {
        return dm_fail(DM_ERROR_MEMORY, error, error_size, "no memory to save the store; the file is as it was");
    }
    if (failure != 0) {
        char text[64];
        return dm_fail(DM_ERROR_IO, error, error_size, "cannot write %s: %s; an older file there is as it was", path,
                       strerror_r(failure, text, sizeof(text)));
    }
    return DM_OK;
}
