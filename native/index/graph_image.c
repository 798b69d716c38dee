/* graph_image.c: the graph as bytes, and back, by copying them or in place. A header, the levels, and the graph's body
 * (graph_parts.h), each padded to whole cache lines, so that a file mapped anywhere has its arrays where they may lie;
 * what follows from the rest (places above level 0, how many links lead to a row) is computed anew. Version 2 has no
 * levels: they are those drawn by the numbers of the rows. The checksum
 * finds what was damaged on the way; what passes it is still looked through, so that no number of a careless writer
 * leads out of an array. */
#include <fcntl.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "index/graph_parts.h"
#include "simd/crc32c.h"
#include "store/poison.h"

typedef struct header {
    char magic[8];
    uint32_t version;
    uint32_t checksum; /* CRC-32C of all bytes of the image, these four taken as 0 */
    uint32_t dim;
    uint32_t capacity;
    uint32_t ef_construction;
    uint32_t similarity;
    uint64_t seed;
    uint64_t entry;
    uint64_t live;
    uint64_t size; /* of the image, bytes */
} header;

static const char MAGIC[8] = {'d', 'm', 'g', 'r', 'a', 'p', 'h', '\n'};
enum { VERSION = 3, VERSION_WITHOUT_LEVELS = 2 };

_Static_assert(sizeof(header) == DM_CACHE_LINE, "the body begins at a cache line");

/* What lies before the body. */
static size_t front_of(uint32_t version, uint32_t capacity) {
    const size_t levels = version == VERSION_WITHOUT_LEVELS ? 0 : capacity;
    return sizeof(header) + (levels + DM_CACHE_LINE - 1) / DM_CACHE_LINE * DM_CACHE_LINE;
}

size_t dm_graph_image_size(const dm_graph *graph) {
    return front_of(VERSION, graph->capacity) + graph->body_size;
}

static uint32_t checksum_of(header head, const uint8_t *rest, size_t size) {
    const dm_crc32c_variant *crc = dm_crc32c_best();
    dm_crc32c_tables tables;
    dm_crc32c_prepare(&tables);
    head.checksum = 0;
    return crc->update(&tables, crc->update(&tables, 0, &head, sizeof(head)), rest, size);
}

/* A list without holes. */
static void close_up(dm_link *links, uint32_t level, uint32_t row) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < dm_graph_width(level); i++) {
        const uint32_t to = dm_link_load(&links[i]);
        atomic_store_explicit(&links[i], DM_LINK_NONE, memory_order_relaxed);
        if (to != DM_LINK_NONE && to != row) {
            atomic_store_explicit(&links[kept++], to, memory_order_relaxed);
        }
    }
}

/* What only searches under way care for: a row that they may still read is free in the image and has no links there,
 * and a list that they read has no holes. */
static void tidy(const dm_graph *graph, uint8_t *body) {
    uint8_t *marks = body + ((const uint8_t *)(const void *)graph->marks - graph->body);
    for (uint32_t row = 0; row < graph->capacity; row++) {
        const int is_live = marks[row] == DM_MARK_LIVE;
        marks[row] = is_live ? DM_MARK_LIVE : DM_MARK_FREE;
        for (uint32_t level = 0; level <= graph->levels[row]; level++) {
            const uint8_t *links = (const uint8_t *)(const void *)dm_graph_links(graph, row, level);
            dm_link *copy = (dm_link *)(void *)(body + (links - graph->body));
            if (is_live) {
                close_up(copy, level, row);
            } else {
                dm_graph_clear_list(copy, level);
            }
        }
    }
}

void dm_graph_write_image(dm_graph *graph, dm_graph_scratch *scratch, void *bytes) {
    uint8_t *rest = (uint8_t *)bytes + sizeof(header);
    const size_t front = front_of(VERSION, graph->capacity);
    uint8_t *body = (uint8_t *)bytes + front;
    memset(rest, 0, front - sizeof(header));
    memcpy(rest, graph->levels, graph->capacity);
    (void)pthread_mutex_lock(&graph->change);
    dm_graph_sweep(graph, scratch);
    dm_graph_reclaim(graph);
    header head = {
        .version = VERSION,
        .dim = graph->rows.dim,
        .capacity = graph->capacity,
        .ef_construction = graph->ef_construction,
        .similarity = (uint32_t)graph->by,
        .seed = graph->seed,
        .entry = atomic_load_explicit(&graph->entry, memory_order_relaxed),
        .live = dm_graph_size(graph),
        .size = dm_graph_image_size(graph),
    };
    memcpy(head.magic, MAGIC, sizeof(MAGIC));
    memcpy(body, graph->body, graph->body_size);
    (void)pthread_mutex_unlock(&graph->change);
    tidy(graph, body);
    head.checksum = checksum_of(head, rest, head.size - sizeof(head));
    memcpy(bytes, &head, sizeof(head));
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static int32_t corrupt(char *error, size_t error_size, const char *what) {
    snprintf(error, error_size, "the image of the graph is damaged: %s; make it anew", what);
    return DM_ERROR_CORRUPT;
}

static int32_t check_header(const header *head, const dm_rows *rows, size_t size, char *error, size_t error_size) {
    if (memcmp(head->magic, MAGIC, sizeof(MAGIC)) != 0) {
        return corrupt(error, error_size, "it does not begin like one");
    }
    if (head->version != VERSION && head->version != VERSION_WITHOUT_LEVELS) {
        snprintf(error, error_size,
                 "the image of the graph is of version %u and this library reads versions %d and %d; make it anew",
                 head->version, (int)VERSION_WITHOUT_LEVELS, (int)VERSION);
        return DM_ERROR_CORRUPT;
    }
    if (head->size != size) {
        return corrupt(error, error_size, "it is cut off, or longer than it says");
    }
    const size_t least = dm_code_stride(head->dim) + DM_GRAPH_M0 * sizeof(dm_link); /* of a row */
    if (head->capacity > size / least) { /* before memory is claimed for so many */
        return corrupt(error, error_size, "it has not the size of such a graph");
    }
    if (head->dim != rows->dim || head->live > head->capacity) {
        return corrupt(error, error_size, "it is of rows of another dimension or number");
    }
    return DM_OK;
}

/* *levels: in the image, or NULL: drawn. 0: one is none. */
static int find_levels(const header *head, const uint8_t *bytes, const uint8_t **levels) {
    *levels = head->version == VERSION_WITHOUT_LEVELS ? NULL : bytes + sizeof(*head);
    for (uint32_t row = 0; *levels != NULL && row < head->capacity; row++) {
        if ((*levels)[row] >= DM_GRAPH_LEVELS) {
            return 0;
        }
    }
    return 1;
}

/* What is known of a row's place in the tree while the image is looked through; in graph->next, not in use yet. */
enum { PLACE_UNKNOWN, PLACE_LINKED, PLACE_PASSED, PLACE_GOOD };

/* One list: rows that live and reach this level, none after the end, nor any of a row that does not live. Counts where
 * they lead, and notes the children among them. */
static int take_list(dm_graph *graph, uint32_t row, uint32_t level) {
    const dm_link *links = dm_graph_links(graph, row, level);
    int ended = dm_graph_mark(graph, row) != DM_MARK_LIVE;
    for (uint32_t i = 0; i < dm_graph_width(level); i++) {
        uint32_t to = dm_link_load(&links[i]);
        ended |= to == DM_LINK_NONE;
        if (to == DM_LINK_NONE) {
            continue;
        }
        if (ended || to >= graph->capacity || to == row || dm_graph_mark(graph, to) != DM_MARK_LIVE ||
            graph->levels[to] < level) {
            return 0;
        }
        /* Nobody else has the graph yet: a load and a store cost less than an atomic addition. */
        const uint32_t incoming = atomic_load_explicit(&graph->incoming[to], memory_order_relaxed);
        atomic_store_explicit(&graph->incoming[to], incoming + 1, memory_order_relaxed);
        if (level == 0 && dm_graph_parent(graph, to) == row) {
            graph->next[to] = PLACE_LINKED;
        }
    }
    return 1;
}

static int has_link(const dm_graph *graph, uint32_t from, uint32_t to) {
    uint32_t rows[DM_GRAPH_M0];
    const uint32_t count = dm_graph_list(graph, from, 0, rows);
    for (uint32_t i = 0; i < count; i++) {
        if (rows[i] == to) {
            return 1;
        }
    }
    return 0;
}

/* Up from the row to one whose place is good; then all on the way are. 0: it goes round. */
static int follow_parents(dm_graph *graph, uint32_t row) {
    uint32_t at = row;
    for (; graph->next[at] != PLACE_GOOD; at = dm_graph_parent(graph, at)) {
        if (graph->next[at] == PLACE_PASSED) {
            return 0;
        }
        graph->next[at] = PLACE_PASSED;
    }
    for (at = row; graph->next[at] != PLACE_GOOD; at = dm_graph_parent(graph, at)) {
        graph->next[at] = PLACE_GOOD;
    }
    return 1;
}

/* One root; every other row that lives has links to and from a parent; all lead to the root. The lists are taken. */
static int is_sound_tree(dm_graph *graph, uint64_t live) {
    uint64_t roots = 0;
    for (uint32_t row = 0; row < graph->capacity; row++) {
        const uint32_t parent = dm_graph_parent(graph, row);
        if (parent == DM_LINK_NONE) {
            roots += dm_graph_mark(graph, row) == DM_MARK_LIVE;
            graph->next[row] = PLACE_GOOD;
        } else if (graph->next[row] != PLACE_LINKED || !has_link(graph, row, parent)) {
            return 0; /* so the parent lives: others have no links */
        }
    }
    int is_sound = roots == (live > 0);
    for (uint32_t row = 0; row < graph->capacity && is_sound; row++) {
        is_sound = follow_parents(graph, row);
    }
    return is_sound;
}

/* A code stands for a unit row; a norm is a number, and above 0 where it is divided by. */
static int has_sound_scale(const dm_graph *graph, uint32_t row) {
    const float scale = graph->scales[row];
    if (graph->norms == NULL) {
        return scale >= 0.0f && scale <= 1.0f;
    }
    const float norm = graph->norms[row];
    return norm >= 0.0f && norm <= FLT_MAX && scale >= 0.0f && scale <= norm &&
           (norm > 0.0f || dm_graph_mark(graph, row) != DM_MARK_LIVE);
}

static int is_sound(dm_graph *graph, uint64_t live, uint64_t entry) {
    uint64_t counted = 0;
    for (uint32_t row = 0; row < graph->capacity; row++) {
        const uint8_t mark = dm_graph_mark(graph, row);
        const uint32_t parent = dm_graph_parent(graph, row);
        counted += mark == DM_MARK_LIVE;
        if (mark > DM_MARK_LIVE || !has_sound_scale(graph, row) ||
            (parent != DM_LINK_NONE && parent >= graph->capacity)) {
            return 0;
        }
        for (uint32_t level = 0; level <= graph->levels[row]; level++) {
            if (!take_list(graph, row, level)) {
                return 0;
            }
        }
    }
    if (counted != live || (live == 0) != (entry == DM_ENTRY_NONE)) {
        return 0;
    }
    if (!is_sound_tree(graph, live)) {
        return 0;
    }
    const uint32_t row = (uint32_t)entry;
    return live == 0 || (row < graph->capacity && dm_graph_mark(graph, row) == DM_MARK_LIVE &&
                         graph->levels[row] == (uint32_t)(entry >> 32));
}

/* A graph without a body for an image whose header and checksum are good. */
static int32_t begin(const dm_graph_variant *variant, const dm_rows *rows, const uint8_t *bytes, size_t size,
                     dm_memory *account, dm_graph **graph, char *error, size_t error_size) {
    header head;
    const uint8_t *levels = NULL;
    *graph = NULL;
    if (size < sizeof(head)) {
        return corrupt(error, error_size, "it is shorter than its header");
    }
    memcpy(&head, bytes, sizeof(head));
    int32_t status = check_header(&head, rows, size, error, error_size);
    if (status != DM_OK) {
        return status;
    }
    if (checksum_of(head, bytes + sizeof(head), size - sizeof(head)) != head.checksum) {
        return corrupt(error, error_size, "its bytes are not those that were written, by their checksum");
    }
    if (!find_levels(&head, bytes, &levels)) {
        return corrupt(error, error_size, "a level is out of range");
    }
    const dm_graph_options options = {.capacity = head.capacity,
                                      .ef_construction = head.ef_construction,
                                      .seed = head.seed,
                                      .similarity = (dm_similarity)head.similarity};
    status = dm_graph_make(variant, rows, &options, levels, account, graph, error, error_size);
    if (status != DM_OK) {
        return status == DM_ERROR_ARGUMENT ? DM_ERROR_CORRUPT : status;
    }
    dm_graph_set_body(*graph, NULL);
    if (front_of(head.version, head.capacity) + (*graph)->body_size != size) {
        dm_graph_destroy(*graph, account);
        *graph = NULL;
        return corrupt(error, error_size, "it has not the size of such a graph");
    }
    return DM_OK;
}

static const uint8_t *body_in(const uint8_t *bytes) {
    header head;
    memcpy(&head, bytes, sizeof(head));
    return bytes + front_of(head.version, head.capacity);
}

/* The body is in place. On failure *graph is destroyed and NULL. */
static int32_t end(const uint8_t *bytes, dm_memory *account, dm_graph **graph, char *error, size_t error_size) {
    header head;
    memcpy(&head, bytes, sizeof(head));
    atomic_store_explicit(&(*graph)->entry, head.entry, memory_order_relaxed);
    atomic_store_explicit(&(*graph)->live, (uint32_t)head.live, memory_order_relaxed);
    if (!is_sound(*graph, head.live, head.entry)) {
        dm_graph_destroy(*graph, account);
        *graph = NULL;
        return corrupt(error, error_size, "a link, parent, scale, norm or mark is out of range");
    }
    return DM_OK;
}

int32_t dm_graph_from_image(const dm_graph_variant *variant, const dm_rows *rows, const void *bytes, size_t size,
                            size_t placement, dm_memory *account, dm_graph **graph, char *error, size_t error_size) {
    int32_t status = begin(variant, rows, bytes, size, account, graph, error, error_size);
    if (status != DM_OK) {
        return status;
    }
    if (!dm_graph_allocate_body(*graph, placement, account)) {
        dm_graph_destroy(*graph, account);
        *graph = NULL;
        snprintf(error, error_size, "no memory for a graph of %zu bytes; map its file instead", size);
        return DM_ERROR_MEMORY;
    }
    memcpy((*graph)->body, body_in(bytes), (*graph)->body_size);
    return end(bytes, account, graph, error, error_size);
}

/* Maps a whole file. NULL, with a sentence: it cannot. */
static uint8_t *map_file(const char *path, size_t *size, int32_t *status, char *error, size_t error_size) {
    struct stat about;
    uint8_t *bytes = NULL;
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file >= 0 && fstat(file, &about) == 0 && S_ISREG(about.st_mode)) {
        *size = (size_t)about.st_size;
        bytes = *size >= sizeof(header) ? dm_memory_map_copy(file, *size) : NULL;
        *status = *size >= sizeof(header) ? DM_ERROR_IO : corrupt(error, error_size, "it is shorter than its header");
    } else {
        *status = DM_ERROR_IO;
    }
    if (bytes == NULL && *status == DM_ERROR_IO) {
        snprintf(error, error_size, "%s: cannot be opened and mapped as a file; check the path and its permissions",
                 path);
    }
    if (file >= 0) {
        (void)close(file);
    }
    return bytes;
}

int32_t dm_graph_from_file(const dm_graph_variant *variant, const dm_rows *rows, const char *path, dm_memory *account,
                           dm_graph **graph, char *error, size_t error_size) {
    size_t size = 0;
    int32_t status = DM_OK;
    *graph = NULL;
    uint8_t *bytes = map_file(path, &size, &status, error, error_size);
    if (bytes == NULL) {
        return status;
    }
    status = begin(variant, rows, bytes, size, account, graph, error, error_size);
    if (status != DM_OK) {
        dm_memory_unmap_file(bytes, size);
        return status;
    }
    (*graph)->mapped = bytes;
    (*graph)->mapped_size = size;
    dm_graph_set_body(*graph, bytes + (body_in(bytes) - bytes));
    return end(bytes, account, graph, error, error_size);
}
