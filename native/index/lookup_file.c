/* lookup_file.c: a lookup as a file beside a snapshot of its store, and back.
 *
 *   header | for each type: slots by row, image of the index
 *
 * The file does not hold the embeddings; what it says is true of a store with the same ones only. So it has checksums of ids
 * and embeddings in the order of slots, which a snapshot keeps. It does not keep the numbers of rows: a store that was loaded
 * has its rows in the order of slots, whatever they were before. Where these are the rows of the image it is used as it is. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "index/lookup_parts.h"
#include "store/snapshot.h"
#include "store/whole_file.h"

#include "store/poison.h"

enum { VERSION = 1, BYTE_ORDER = 0x01020304 };

typedef struct side_header {
    uint64_t slots_at;
    uint64_t image_at;
    uint64_t image_size; /* 0: no nodes */
    uint32_t row_capacity; /* 0: the lookup is not for this type */
    uint32_t size;         /* nodes */
    uint32_t rows;         /* slots in the file: of rows below */
    uint32_t nodes_crc;    /* of slots and ids, in the order of slots */
    uint32_t values_crc;   /* of embeddings, likewise */
    uint32_t slots_crc;    /* of the slots by row; an image has its own */
    dm_lookup_choice choice; /* not always its plan: that of an exact index tells why it was chosen */
} side_header;

typedef struct header {
    unsigned char magic[8];
    uint32_t version;
    uint32_t byte_order;
    uint64_t file_size;
    uint64_t seed;
    double recall;
    uint32_t dim;
    uint32_t single_type;
    int32_t method;
    uint32_t types;
    uint32_t k;
    uint32_t reserved;
    side_header sides[DM_LOOKUP_SIDES];
    uint32_t zero;
    uint32_t crc; /* CRC-32C of the header before it */
} header;

_Static_assert(sizeof(dm_lookup_choice) == 328 && sizeof(side_header) == 376 && sizeof(header) == 824, "no padding");

static const unsigned char MAGIC[8] = {0x89, 'D', 'M', 'L', '\r', '\n', 0x1A, '\n'}; /* as a snapshot's */

static uint64_t align(uint64_t offset) {
    return (offset + DM_CACHE_LINE - 1) / DM_CACHE_LINE * DM_CACHE_LINE;
}

static uint32_t crc_of(const dm_checksum *checksum, uint32_t crc, const void *bytes, size_t size) {
    return checksum->variant->update(&checksum->tables, crc, bytes, size);
}

/* The places of the sections, from the counts in the header. */
static void lay_out(header *head) {
    uint64_t end = align(sizeof(*head));
    for (int i = 0; i < DM_LOOKUP_SIDES; i++) {
        side_header *side = &head->sides[i];
        side->slots_at = end;
        side->image_at = align(side->slots_at + side->rows * sizeof(uint32_t));
        end = align(side->image_at + side->image_size);
    }
    head->file_size = end;
}

/* --- what tells stores apart -------------------------------------------------------------------------------------- */

/* rows[index]: the row that is held for it, or DM_ROW_NONE. NULL: no memory. */
static uint32_t *rows_by_index(dm_lookup *lookup, const dm_lookup_side *side, const uint32_t *slots) {
    const dm_rows_table *table = side->table;
    uint32_t *rows = dm_memory_allocate(&lookup->memory, table->capacity * sizeof(uint32_t), DM_CACHE_LINE, 0);
    if (rows != NULL) {
        memset(rows, 0xFF, table->capacity * sizeof(uint32_t));
        for (uint32_t row = 0; row < table->row_capacity; row++) {
            if (slots[row] != DM_SLOT_NONE) {
                rows[dm_slot_index(slots[row])] = row;
            }
        }
    }
    return rows;
}

/* Of slots and ids; under the store's lock, and the held rows are those of now. */
static uint32_t crc_of_nodes(const dm_checksum *checksum, const dm_rows_table *table, const uint32_t *rows) {
    uint32_t crc = 0;
    for (uint32_t index = 0; index < table->capacity; index++) {
        if (rows[index] != DM_ROW_NONE) {
            const uint64_t words[3] = {index, table->ids[index].low, table->ids[index].high};
            crc = crc_of(checksum, crc, words, sizeof(words));
        }
    }
    return crc;
}

static uint32_t crc_of_values(const dm_checksum *checksum, const dm_rows_table *table, const uint32_t *rows) {
    uint32_t crc = 0;
    for (uint32_t index = 0; index < table->capacity; index++) {
        if (rows[index] != DM_ROW_NONE) {
            crc = crc_of(checksum, crc, table->values + rows[index] * table->stride, table->dim * sizeof(float));
        }
    }
    return crc;
}

/* --- saving ------------------------------------------------------------------------------------------------------- */

typedef struct saver {
    dm_lookup *lookup;
    header head;
    uint32_t *rows[DM_LOOKUP_SIDES];
    void *images[DM_LOOKUP_SIDES];
    dm_checksum checksum;
    dm_whole_file file;
} saver;

static int32_t no_memory(char *error, size_t error_size) {
    return dm_fail(DM_ERROR_MEMORY, error, error_size, "no memory for the file of a lookup");
}

static int32_t write_image(saver *state, int i, char *error, size_t error_size) {
    dm_lookup *lookup = state->lookup;
    dm_edition *edition = lookup->sides[i].edition;
    side_header *to = &state->head.sides[i];
    dm_index_scratch *scratch = NULL;
    if (edition->index == NULL) {
        return DM_OK;
    }
    int32_t status = dm_edition_take(lookup, edition, &scratch, error, error_size);
    if (status != DM_OK) {
        return status;
    }
    to->image_size = dm_index_image_size(edition->index);
    state->images[i] = dm_memory_allocate(&lookup->memory, to->image_size, DM_CACHE_LINE, 0);
    if (state->images[i] != NULL) {
        dm_index_write_image(edition->index, scratch, state->images[i]);
    }
    dm_edition_give(lookup, edition, scratch);
    return state->images[i] != NULL ? DM_OK : no_memory(error, error_size);
}

static int32_t describe(saver *state, int i, char *error, size_t error_size) {
    const dm_lookup_side *side = &state->lookup->sides[i];
    side_header *to = &state->head.sides[i];
    if (side->table == NULL) {
        return DM_OK;
    }
    state->rows[i] = rows_by_index(state->lookup, side, side->edition->slots);
    if (state->rows[i] == NULL) {
        return no_memory(error, error_size);
    }
    to->row_capacity = side->table->row_capacity;
    to->size = atomic_load_explicit(&side->size, memory_order_relaxed);
    to->rows = dm_lookup_rows(side, side->edition->slots).count;
    to->choice = side->edition->choice;
    to->values_crc = crc_of_values(&state->checksum, side->table, state->rows[i]);
    to->slots_crc = crc_of(&state->checksum, 0, side->edition->slots, to->rows * sizeof(uint32_t));
    return write_image(state, i, error, error_size);
}

/* The ids, which are those of the rows only while the store is as it was when these were held. */
static int32_t describe_nodes(saver *state, char *error, size_t error_size) {
    dm_lookup *lookup = state->lookup;
    (void)pthread_mutex_lock(&lookup->store->lock);
    const int is_current = dm_lookup_is_current(lookup);
    for (int i = 0; i < DM_LOOKUP_SIDES && is_current; i++) {
        if (state->rows[i] != NULL) {
            state->head.sides[i].nodes_crc = crc_of_nodes(&state->checksum, lookup->sides[i].table, state->rows[i]);
        }
    }
    (void)pthread_mutex_unlock(&lookup->store->lock);
    return is_current ? DM_OK
                      : dm_fail(DM_ERROR_ARGUMENT, error, error_size,
                                "the store has changed since the lookup was brought up to date; refresh it, then save");
}

static void put(saver *state) {
    header *head = &state->head;
    const dm_lookup_options *options = &state->lookup->options;
    memcpy(head->magic, MAGIC, sizeof(MAGIC));
    head->version = VERSION;
    head->byte_order = BYTE_ORDER;
    head->dim = state->lookup->store->dim;
    head->single_type = (uint32_t)state->lookup->store->single_type;
    head->method = options->method;
    head->types = options->types;
    head->recall = options->recall;
    head->k = options->k;
    head->seed = options->seed;
    lay_out(head);
    head->crc = crc_of(&state->checksum, 0, head, offsetof(header, crc));
    for (int i = 0; i < DM_LOOKUP_SIDES; i++) {
        const side_header *side = &head->sides[i];
        if (side->rows > 0) {
            dm_whole_file_write(&state->file, state->lookup->sides[i].edition->slots, side->rows * sizeof(uint32_t), side->slots_at);
            dm_whole_file_write(&state->file, state->images[i], side->image_size, side->image_at);
        }
    }
    dm_whole_file_write(&state->file, head, sizeof(*head), 0);
    dm_whole_file_set_size(&state->file, head->file_size);
}

/* With the lock on changes. */
static int32_t save(saver *state, const char *path, char *error, size_t error_size) {
    int32_t status = DM_OK;
    for (int i = 0; i < DM_LOOKUP_SIDES && status == DM_OK; i++) {
        status = describe(state, i, error, error_size);
    }
    if (status == DM_OK) {
        status = describe_nodes(state, error, error_size);
    }
    if (status != DM_OK) {
        return status;
    }
    dm_whole_file_open(&state->file, path);
    if (state->file.failure == 0) {
        put(state);
    }
    const int failure = dm_whole_file_close(&state->file, path);
    if (failure != 0) {
        char text[64];
        return dm_fail(DM_ERROR_IO, error, error_size, "cannot write %s: %s; an older file there is as it was", path,
                       strerror_r(failure, text, sizeof(text)));
    }
    return DM_OK;
}

int32_t dm_lookup_save(dm_lookup *lookup, const char *path, char *error, size_t error_size) {
    saver state = {.lookup = lookup};
    dm_checksum_begin(&state.checksum);
    (void)pthread_mutex_lock(&lookup->change);
    int32_t status = save(&state, path, error, error_size);
    for (int i = 0; i < DM_LOOKUP_SIDES; i++) {
        dm_memory_free(&lookup->memory, state.rows[i]);
        dm_memory_free(&lookup->memory, state.images[i]);
    }
    (void)pthread_mutex_unlock(&lookup->change);
    return status;
}

/* --- loading: the file -------------------------------------------------------------------------------------------- */

typedef struct loader {
    const char *path;
    int descriptor;
    const unsigned char *bytes; /* mapped */
    uint64_t size;
    header head;
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
    return dm_fail(DM_ERROR_CORRUPT, state->error, state->error_size, "%s: %s; make the lookup anew and save it", state->path, what);
}

static int32_t refuse_store(const loader *state, const char *what) {
    return dm_fail(DM_ERROR_ARGUMENT, state->error, state->error_size,
                   "%s: saved of another store, or of this one in another state (%s); make the lookup anew", state->path, what);
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
    if (state->size < sizeof(header)) {
        return refuse(state, "less than the header of a lookup");
    }
    state->bytes = dm_memory_map_file(state->descriptor, state->size);
    return state->bytes != NULL ? DM_OK : fail_to_read(state, "map");
}

static int is_sane_side(const side_header *side, uint64_t file_size) {
    const dm_lookup_choice *choice = &side->choice;
    const int is_used = side->row_capacity > 0;
    return side->rows <= side->row_capacity && side->size <= side->rows && (side->size == 0) == (side->image_size == 0) &&
           (side->size == 0) == (side->rows == 0) && side->image_size <= file_size &&
           choice->method >= (is_used ? DM_LOOKUP_EXACT : 0) && choice->method <= DM_LOOKUP_GRAPH &&
           memchr(choice->reason, 0, sizeof(choice->reason)) != NULL;
}

static int has_sane_counts(const header *head) {
    int is_sane = head->single_type <= 1 && head->types >= 1 && head->types <= DM_LOOKUP_BOTH && head->reserved == 0 && head->zero == 0;
    for (int i = 0; i < DM_LOOKUP_SIDES; i++) {
        is_sane &= is_sane_side(&head->sides[i], head->file_size);
    }
    return is_sane;
}

static int32_t check_header(loader *state) {
    header *head = &state->head;
    memcpy(head, state->bytes, sizeof(*head));
    if (memcmp(head->magic, MAGIC, sizeof(MAGIC)) != 0) {
        return refuse(state, "not the file of a lookup (it begins with other bytes)");
    }
    if (head->byte_order == __builtin_bswap32(BYTE_ORDER)) {
        return dm_fail(DM_ERROR_UNSUPPORTED, state->error, state->error_size,
                       "%s: written on a machine of the other byte order; make the lookup anew", state->path);
    }
    if (head->version != VERSION) {
        return dm_fail(DM_ERROR_UNSUPPORTED, state->error, state->error_size,
                       "%s: format version %u, this library reads %d; make the lookup anew", state->path, head->version, VERSION);
    }
    if (crc_of(&state->checksum, 0, head, offsetof(header, crc)) != head->crc) {
        return refuse(state, "the header is damaged (its checksum differs)");
    }
    header expected = *head;
    if (!has_sane_counts(head)) {
        return refuse(state, "the header contradicts itself");
    }
    lay_out(&expected);
    if (memcmp(&expected, head, sizeof(expected)) != 0) {
        return refuse(state, "the header contradicts itself (places of sections)");
    }
    return state->size == head->file_size ? DM_OK : refuse(state, state->size < head->file_size ? "cut off" : "too long");
}

static int is_zero(const unsigned char *bytes, uint64_t size) {
    unsigned char seen = 0;
    for (uint64_t i = 0; i < size; i++) {
        seen |= bytes[i];
    }
    return seen == 0;
}

static int32_t check_sections(const loader *state) {
    uint64_t end = sizeof(header);
    for (int i = 0; i < DM_LOOKUP_SIDES; i++) {
        const side_header *side = &state->head.sides[i];
        const uint64_t slots_size = side->rows * sizeof(uint32_t);
        if (crc_of(&state->checksum, 0, state->bytes + side->slots_at, slots_size) != side->slots_crc ||
            !is_zero(state->bytes + end, side->slots_at - end) ||
            !is_zero(state->bytes + side->slots_at + slots_size, side->image_at - side->slots_at - slots_size)) {
            return refuse(state, i == 0 ? "the rows of concepts or nodes are damaged" : "the rows of episodes are damaged");
        }
        end = side->image_at + side->image_size;
    }
    return is_zero(state->bytes + end, state->size - end) ? DM_OK : refuse(state, "damaged at its end");
}

/* --- loading: is it this store's? ----------------------------------------------------------------------------------- */

static int32_t check_store(const loader *state) {
    const header *head = &state->head;
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
static int has_these_nodes(const loader *state, const dm_lookup_side *side, const side_header *from, const uint32_t *rows,
                           uint32_t changes) {
    (void)pthread_mutex_lock(&state->store->lock);
    const int is_same = changes == atomic_load_explicit(&side->table->changes, memory_order_acquire) &&
                        crc_of_nodes(&state->checksum, side->table, rows) == from->nodes_crc;
    (void)pthread_mutex_unlock(&state->store->lock);
    return is_same;
}

/* --- loading: the index ------------------------------------------------------------------------------------------- */

/* 1: every node has the row that it had when the file was written. */
static int has_these_rows(const side_header *from, const uint32_t *file_slots, const dm_rows *rows) {
    return from->rows == rows->count && memcmp(file_slots, rows->slots, from->rows * sizeof(uint32_t)) == 0;
}

/* Where rows have other numbers the image is of no use, but the method that was chosen is. */
static int32_t index_side(loader *state, int i) {
    dm_lookup *lookup = state->lookup;
    const dm_lookup_side *side = &lookup->sides[i];
    const side_header *from = &state->head.sides[i];
    dm_edition *edition = side->edition;
    const dm_rows rows = dm_lookup_rows(side, edition->slots);
    if (has_these_rows(from, (const uint32_t *)(const void *)(state->bytes + from->slots_at), &rows)) {
        edition->choice = from->choice;
        int32_t status = dm_index_from_image(&rows, state->bytes + from->image_at, from->image_size, lookup->isa, 0, &lookup->memory,
                                             &edition->index, state->error, state->error_size);
        return status == DM_ERROR_CORRUPT ? refuse(state, "an index in it is damaged") : status;
    }
    const dm_index_options options = {.method = (dm_method)from->choice.method,
                                      .recall = lookup->options.recall,
                                      .k = lookup->options.k,
                                      .capacity = side->table->row_capacity,
                                      .seed = lookup->options.seed,
                                      .isa = lookup->isa};
    int32_t status = dm_index_create(&rows, &options, state->team, &lookup->memory, &edition->index, state->error, state->error_size);
    if (status == DM_OK && from->choice.method == DM_LOOKUP_EXACT) {
        edition->choice = from->choice;
    } else if (status == DM_OK) {
        dm_edition_note_plan(edition, from->choice.planned);
    }
    return status;
}

/* Holds the rows of one type, compares them with the file, and makes their edition. */
static int32_t load_side(loader *state, int i) {
    dm_lookup *lookup = state->lookup;
    dm_lookup_side *side = &lookup->sides[i];
    const side_header *from = &state->head.sides[i];
    uint32_t *slots = NULL;
    const uint32_t changes = atomic_load_explicit(&side->table->changes, memory_order_acquire);
    const uint32_t size = dm_lookup_hold(lookup, side, &slots);
    side->edition = slots == NULL ? NULL : dm_edition_make(lookup, side, slots); /* from here on it is the lookup's */
    uint32_t *rows = side->edition == NULL ? NULL : rows_by_index(lookup, side, slots);
    if (rows == NULL) {
        return no_memory(state->error, state->error_size);
    }
    const int is_same = size == from->size && has_these_nodes(state, side, from, rows, changes) &&
                        crc_of_values(&state->checksum, side->table, rows) == from->values_crc;
    dm_memory_free(&lookup->memory, rows);
    if (!is_same) {
        return refuse_store(state, "its nodes or their embeddings");
    }
    atomic_store_explicit(&side->size, size, memory_order_relaxed);
    atomic_store_explicit(&side->changes, changes, memory_order_relaxed);
    return size == 0 ? DM_OK : index_side(state, i);
}

static int32_t load(loader *state) {
    const header *head = &state->head;
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

int32_t dm_lookup_load(dm_store *store, const char *path, dm_team *team, dm_lookup **lookup, char *error, size_t error_size) {
    loader state = {.path = path, .descriptor = -1, .store = store, .team = team, .error = error, .error_size = error_size};
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
