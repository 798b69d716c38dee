/* lookup_load.c: a lookup from a file: is the file whole, is it of this store, and do its rows still have their
 * numbers? See lookup_file.h. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "index/lookup_file.h"

#include "store/poison.h"

/* --- the file ----------------------------------------------------------------------------------------------------- */

typedef struct loader {
    const char *path;
    int descriptor;
    const unsigned char *bytes; /* mapped */
    uint64_t size;
    dm_lookup_file_header head;
    dm_checksum checksum;
    dm_store *store;
    dm_lookup *lookup;
    dm_team *team;
    char *error;
    size_t error_size;
} loader;

static int32_t fail_to_read(const loader *state, const char *what) {
    char text[64];
    return dm_fail(DM_ERROR_IO, state->error, state->error_size, "cannot %s %s: %s", what, state->path,
                   strerror_r(errno, text, sizeof(text)));
}

static int32_t refuse(const loader *state, const char *what) {
    return dm_fail(DM_ERROR_CORRUPT, state->error, state->error_size, "%s: %s; make the lookup anew and save it",
                   state->path, what);
}

static int32_t no_memory(const loader *state) {
    return dm_fail(DM_ERROR_MEMORY, state->error, state->error_size, "%s: no memory for a lookup", state->path);
}

static int32_t refuse_store(const loader *state, const char *what) {
    return dm_fail(DM_ERROR_ARGUMENT, state->error, state->error_size,
                   "%s: saved of another store, or of this one in another state (%s); make the lookup anew",
                   state->path, what);
}

static int32_t map_file(loader *state) {
    struct stat facts;
    state->descriptor = open(state->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe must not make us wait */
    if (state->descriptor < 0) {
        return fail_to_read(state, "open");
    }
    if (fstat(state->descriptor, &facts) != 0) {
        return fail_to_read(state, "read");
    }
    if (!S_ISREG(facts.st_mode)) {
        return dm_fail(DM_ERROR_IO, state->error, state->error_size, "cannot read %s: not a regular file", state->path);
    }
    state->size = (uint64_t)facts.st_size;
    if (state->size < sizeof(dm_lookup_file_header)) {
        return refuse(state, "less than the header of a lookup");
    }
    state->bytes = dm_memory_map_file(state->descriptor, state->size);
    return state->bytes != NULL ? DM_OK : fail_to_read(state, "map");
}

static int is_sane_side(const dm_lookup_file_side *side, uint64_t file_size) {
    const dm_lookup_choice *choice = &side->choice;
    const int is_used = side->row_capacity > 0;
    return side->rows <= side->row_capacity && side->size <= side->rows &&
           (side->size == 0) == (side->image_size == 0) && (side->size == 0) == (side->rows == 0) &&
           side->image_size <= file_size && choice->method >= (is_used ? DM_LOOKUP_EXACT : 0) &&
           choice->method <= DM_LOOKUP_GRAPH && memchr(choice->reason, 0, sizeof(choice->reason)) != NULL;
}

static int has_sane_counts(const dm_lookup_file_header *head) {
    int is_sane = head->single_type <= 1 && head->types >= 1 && head->types <= DM_LOOKUP_BOTH && head->zero == 0 &&
                  (head->similarity == DM_SIMILARITY_COSINE || head->similarity == DM_SIMILARITY_INNER_PRODUCT);
    for (int i = 0; i < DM_LOOKUP_SIDES; i++) {
        is_sane &= is_sane_side(&head->sides[i], head->file_size);
    }
    return is_sane;
}

static int32_t check_header(loader *state) {
    dm_lookup_file_header *head = &state->head;
    memcpy(head, state->bytes, sizeof(*head));
    dm_lookup_file_header expected = {0};
    dm_lookup_file_lay_out(&expected);
    if (memcmp(head->magic, expected.magic, sizeof(expected.magic)) != 0) {
        return refuse(state, "not the file of a lookup (it begins with other bytes)");
    }
    if (head->byte_order == __builtin_bswap32(DM_LOOKUP_FILE_BYTE_ORDER)) {
        return dm_fail(DM_ERROR_UNSUPPORTED, state->error, state->error_size,
                       "%s: written on a machine of the other byte order; make the lookup anew", state->path);
    }
    if (head->version != DM_LOOKUP_FILE_VERSION) {
        return dm_fail(DM_ERROR_UNSUPPORTED, state->error, state->error_size,
                       "%s: format version %u, this library reads %d; make the lookup anew", state->path, head->version,
                       DM_LOOKUP_FILE_VERSION);
    }
    if (dm_lookup_file_crc(&state->checksum, 0, head, offsetof(dm_lookup_file_header, crc)) != head->crc) {
        return refuse(state, "the header is damaged (its checksum differs)");
    }
    expected = *head;
    if (!has_sane_counts(head)) {
        return refuse(state, "the header contradicts itself");
    }
    dm_lookup_file_lay_out(&expected);
    if (memcmp(&expected, head, sizeof(expected)) != 0) {
        return refuse(state, "the header contradicts itself (places of sections)");
    }
    return state->size == head->file_size ? DM_OK
                                          : refuse(state, state->size < head->file_size ? "cut off" : "too long");
}

static int is_zero(const unsigned char *bytes, uint64_t size) {
    unsigned char seen = 0;
    for (uint64_t i = 0; i < size; i++) {
        seen |= bytes[i];
    }
    return seen == 0;
}

static int32_t check_sections(const loader *state) {
    uint64_t end = sizeof(dm_lookup_file_header);
    for (int i = 0; i < DM_LOOKUP_SIDES; i++) {
        const dm_lookup_file_side *side = &state->head.sides[i];
        const uint64_t slots_size = side->rows * sizeof(uint32_t);
        if (dm_lookup_file_crc(&state->checksum, 0, state->bytes + side->slots_at, slots_size) != side->slots_crc ||
            !is_zero(state->bytes + end, side->slots_at - end) ||
            !is_zero(state->bytes + side->slots_at + slots_size, side->image_at - side->slots_at - slots_size)) {
            return refuse(state,
                          i == 0 ? "the rows of concepts or nodes are damaged" : "the rows of episodes are damaged");
        }
        end = side->image_at + side->image_size;
    }
    return is_zero(state->bytes + end, state->size - end) ? DM_OK : refuse(state, "damaged at its end");
}

/* --- is it this store's? ------------------------------------------------------------------------------------------ */

static int32_t check_store(const loader *state) {
    const dm_lookup_file_header *head = &state->head;
    const dm_store *store = state->store;
    if (head->dim != store->dim || head->single_type != (uint32_t)store->single_type) {
        return refuse_store(state, "dim or kind");
    }
    for (int i = 0; i < DM_LOOKUP_SIDES; i++) {
        const dm_rows_table *table = state->lookup->sides[i].table;
        if (head->sides[i].row_capacity != (table == NULL ? 0 : table->row_capacity)) {
            return refuse_store(state, "capacities");
        }
    }
    return DM_OK;
}

/* The checksum of ids, if the rows held are all there are now. */
static int has_these_nodes(const loader *state, const dm_lookup_side *side, const dm_lookup_file_side *from,
                           const uint32_t *rows, uint32_t changes) {
    (void)pthread_mutex_lock(&state->store->lock);
    const int is_same = changes == atomic_load_explicit(&side->table->changes, memory_order_acquire) &&
                        dm_lookup_file_crc_of_nodes(&state->checksum, side->table, rows) == from->nodes_crc;
    (void)pthread_mutex_unlock(&state->store->lock);
    return is_same;
}

/* --- the index ---------------------------------------------------------------------------------------------------- */

/* 1: every node has the row that it had when the file was written. */
static int has_these_rows(const dm_lookup_file_side *from, const uint32_t *file_slots, const dm_rows *rows) {
    return from->rows == rows->count && memcmp(file_slots, rows->slots, from->rows * sizeof(uint32_t)) == 0;
}

/* map[row of the file]: the row that its node has now; the nodes are the same. `rows`, by index, is used up: each has
 * one row in the file. 1, or 0: the file says otherwise. */
static int map_rows(const dm_lookup_file_side *from, const uint32_t *file_slots, uint32_t capacity, uint32_t *rows,
                    uint32_t *map) {
    uint32_t left = from->size;
    for (uint32_t row = 0; row < from->rows; row++) {
        const uint32_t slot = file_slots[row];
        if (slot == DM_SLOT_NONE) {
            continue;
        }
        const uint32_t index = dm_slot_index(slot);
        if (index >= capacity || rows[index] == DM_ROW_NONE) {
            return 0;
        }
        map[row] = rows[index];
        rows[index] = DM_ROW_NONE;
        left--;
    }
    return left == 0;
}

static int32_t refuse_index(const loader *state) {
    return refuse(state, "an index in it is damaged");
}

/* The index in the file, of rows with the numbers that they have there. */
static int32_t load_index(loader *state, int i, const dm_rows *rows) {
    dm_lookup *lookup = state->lookup;
    const dm_lookup_file_side *from = &state->head.sides[i];
    dm_edition *edition = lookup->sides[i].edition;
    const int32_t status =
        dm_index_from_image(rows, state->bytes + from->image_at, from->image_size, lookup->isa, 0, &lookup->memory,
                            &edition->index, state->error, state->error_size);
    const int is_another =
        status == DM_OK && (int32_t)dm_index_similarity(edition->index) != lookup->options.similarity;
    edition->choice = from->choice;
    return status == DM_ERROR_CORRUPT || is_another ? refuse_index(state) : status;
}

/* Lists or a graph for rows of other numbers: those of the file, renumbered. */
static int32_t renumber(loader *state, int i, const dm_rows *rows) {
    dm_lookup *lookup = state->lookup;
    const dm_lookup_side *side = &lookup->sides[i];
    const dm_lookup_file_side *from = &state->head.sides[i];
    dm_edition *edition = side->edition;
    const uint32_t *file_slots = (const uint32_t *)(const void *)(state->bytes + from->slots_at);
    dm_rows then = *rows;
    then.slots = file_slots;
    then.count = from->rows;
    uint32_t *now = dm_lookup_file_rows(lookup, side, edition->slots);
    uint32_t *map = dm_memory_allocate(&lookup->memory, from->rows * sizeof(uint32_t), DM_CACHE_LINE, 0);
    int32_t status = now == NULL || map == NULL ? no_memory(state) : DM_OK;
    if (status == DM_OK && !map_rows(from, file_slots, side->table->capacity, now, map)) {
        status = refuse(state, "its rows are not those of its nodes");
    }
    if (status == DM_OK) {
        status = load_index(state, i, &then);
        if (status == DM_OK) {
            status = dm_index_renumber(edition->index, rows, map, &lookup->memory, state->error, state->error_size);
            status = status == DM_ERROR_CORRUPT ? refuse_index(state) : status;
        }
    }
    dm_memory_free(&lookup->memory, now);
    dm_memory_free(&lookup->memory, map);
    return status;
}

/* Where rows have other numbers, lists and graphs are renumbered, and exact codes, which no file has, made anew. */
static int32_t index_side(loader *state, int i) {
    dm_lookup *lookup = state->lookup;
    const dm_lookup_side *side = &lookup->sides[i];
    const dm_lookup_file_side *from = &state->head.sides[i];
    dm_edition *edition = side->edition;
    const dm_rows rows = dm_lookup_rows(side, edition->slots);
    if (has_these_rows(from, (const uint32_t *)(const void *)(state->bytes + from->slots_at), &rows)) {
        return load_index(state, i, &rows);
    }
    if (from->choice.method != DM_LOOKUP_EXACT) {
        return renumber(state, i, &rows);
    }
    const dm_index_options options = {.method = DM_METHOD_EXACT,
                                      .recall = lookup->options.recall,
                                      .k = lookup->options.k,
                                      .capacity = side->table->row_capacity,
                                      .seed = lookup->options.seed,
                                      .isa = lookup->isa,
                                      .similarity = (dm_similarity)lookup->options.similarity};
    int32_t status = dm_index_create(&rows, &options, state->team, &lookup->memory, &edition->index, state->error,
                                     state->error_size);
    edition->choice = from->choice;
    return status;
}

/* Holds the rows of one type, compares them with the file, and makes their edition. */
static int32_t load_side(loader *state, int i) {
    dm_lookup *lookup = state->lookup;
    dm_lookup_side *side = &lookup->sides[i];
    const dm_lookup_file_side *from = &state->head.sides[i];
    uint32_t *slots = NULL;
    const uint32_t changes = atomic_load_explicit(&side->table->changes, memory_order_acquire);
    const uint32_t size = dm_lookup_hold(lookup, side, &slots);
    side->edition = slots == NULL ? NULL : dm_edition_make(lookup, side, slots); /* from here on it is the lookup's */
    uint32_t *rows = side->edition == NULL ? NULL : dm_lookup_file_rows(lookup, side, slots);
    if (rows == NULL) {
        return no_memory(state);
    }
    const int is_same = size == from->size && has_these_nodes(state, side, from, rows, changes) &&
                        dm_lookup_file_crc_of_values(&state->checksum, side->table, rows) == from->values_crc;
    dm_memory_free(&lookup->memory, rows);
    if (!is_same) {
        return refuse_store(state, "its nodes or their embeddings");
    }
    atomic_store_explicit(&side->size, size, memory_order_relaxed);
    atomic_store_explicit(&side->changes, changes, memory_order_relaxed);
    return size == 0 ? DM_OK : index_side(state, i);
}

static int32_t load(loader *state) {
    const dm_lookup_file_header *head = &state->head;
    int32_t status = map_file(state);
    if (status == DM_OK) {
        status = check_header(state);
    }
    if (status == DM_OK) {
        status = check_sections(state);
    }
    if (status == DM_OK) {
        const dm_lookup_options options = {.size = sizeof(options),
                                           .method = head->method,
                                           .types = head->types,
                                           .recall = head->recall,
                                           .k = head->k,
                                           .similarity = head->similarity,
                                           .seed = head->seed};
        status = dm_lookup_begin(state->store, &options, &state->lookup, state->error, state->error_size);
    }
    if (status == DM_OK) {
        status = check_store(state);
    }
    for (int i = 0; i < DM_LOOKUP_SIDES && status == DM_OK; i++) {
        status = state->lookup->sides[i].table == NULL ? DM_OK : load_side(state, i);
    }
    return status;
}

int32_t dm_lookup_load(dm_store *store, const char *path, dm_team *team, dm_lookup **lookup, char *error,
                       size_t error_size) {
    loader state = {
        .path = path, .descriptor = -1, .store = store, .team = team, .error = error, .error_size = error_size};
    *lookup = NULL;
    dm_checksum_begin(&state.checksum);
    int32_t status = load(&state);
    dm_memory_unmap_file(state.bytes, state.size);
    if (state.descriptor >= 0) {
        (void)close(state.descriptor);
    }
    if (status == DM_OK) {
        *lookup = state.lookup;
    } else {
        dm_lookup_destroy(state.lookup);
    }
    return status;
}
