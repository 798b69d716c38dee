/* index_image.c: the index and its plan as bytes, and back: a header, then the method's own image. An exact index has
 * none: its codes are made again from the rows in less time than they would take to read from a disk. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "index/index_parts.h"
#include "simd/crc32c.h"
#include "store/poison.h"

typedef struct header {
    char magic[8];
    uint32_t version;
    uint32_t crc; /* of all bytes, as if this were 0 */
    uint64_t size; /* of the image, bytes */
    uint32_t dim;
    uint32_t used;
    uint32_t method;
    uint32_t effort;
    uint32_t dims;
    uint32_t list_count;
    uint32_t held_out;
    uint32_t similarity;
    double recall;
    double recall_low;
    double costs[DM_METHOD_COUNT];
    char reason[sizeof(((dm_plan *)NULL)->reason)];
    uint8_t padding[24]; /* 0: the method's image begins at a cache line */
} header;
_Static_assert(sizeof(header) % 64 == 0, "whole cache lines");

static const char MAGIC[8] = {'d', 'm', 'i', 'n', 'd', 'e', 'x', '\n'};
enum { VERSION = 1 };

size_t dm_index_image_size(const dm_index *index) {
    return sizeof(header) + (index->graph != NULL   ? dm_graph_image_size(index->graph)
                             : index->lists != NULL ? dm_lists_image_size(index->lists)
                                                    : 0);
}

static uint32_t checksum(const header *head, const uint8_t *rest, size_t rest_size) {
    dm_crc32c_tables tables;
    header plain = *head;
    plain.crc = 0;
    const dm_crc32c_variant *variant = dm_crc32c_best();
    dm_crc32c_prepare(&tables);
    return variant->update(&tables, variant->update(&tables, 0, &plain, sizeof(plain)), rest, rest_size);
}

void dm_index_write_image(dm_index *index, dm_index_scratch *scratch, void *bytes) {
    const dm_plan *plan = &index->plan;
    uint8_t *rest = (uint8_t *)bytes + sizeof(header);
    header head;
    memset(&head, 0, sizeof(head));
    memcpy(head.magic, MAGIC, sizeof(MAGIC));
    head.version = VERSION;
    head.size = dm_index_image_size(index);
    head.dim = index->rows.dim;
    head.used = index->used;
    head.method = plan->method;
    head.effort = plan->effort;
    head.dims = plan->dims;
    head.list_count = plan->list_count;
    head.held_out = plan->held_out;
    head.similarity = (uint32_t)index->similarity;
    head.recall = plan->recall;
    head.recall_low = plan->recall_low;
    memcpy(head.costs, plan->costs, sizeof(head.costs));
    memcpy(head.reason, plan->reason, sizeof(head.reason));
    if (index->graph != NULL) {
        dm_graph_write_image(index->graph, scratch->graph, rest);
        head.used = dm_graph_size(index->graph);
    } else if (index->lists != NULL) {
        dm_lists_write_image(index->lists, rest);
    }
    head.crc = checksum(&head, rest, head.size - sizeof(head));
    memcpy(bytes, &head, sizeof(head));
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static int32_t corrupt(char *error, size_t error_size, const char *what) {
    snprintf(error, error_size, "the image of the index is damaged: %s; make it anew", what);
    return DM_ERROR_CORRUPT;
}

static int32_t check(const header *head, const dm_rows *rows, const uint8_t *rest, size_t size, char *error,
                     size_t error_size) {
    if (memcmp(head->magic, MAGIC, sizeof(MAGIC)) != 0 || head->version != VERSION || head->size != size) {
        return corrupt(error, error_size, "its header is not of this version and size");
    }
    if (head->crc != checksum(head, rest, size - sizeof(*head))) {
        return corrupt(error, error_size, "its checksum is another");
    }
    if (head->dim != rows->dim || head->used != dm_index_count_used(rows)) {
        return corrupt(error, error_size, "it is of rows of another dimension or number");
    }
    if (head->similarity > DM_SIMILARITY_INNER_PRODUCT || head->method < DM_METHOD_EXACT ||
        head->method > DM_METHOD_GRAPH || memchr(head->reason, 0, sizeof(head->reason)) == NULL ||
        (head->method != DM_METHOD_EXACT && head->effort < 1) ||
        (head->method == DM_METHOD_GRAPH && head->effort > DM_GRAPH_EF_MAX)) {
        return corrupt(error, error_size, "its plan is none that is made");
    }
    return DM_OK;
}

static void read_plan(dm_plan *plan, const header *head) {
    plan->method = (dm_method)head->method;
    plan->effort = head->effort;
    plan->dims = head->dims;
    plan->list_count = head->list_count;
    plan->held_out = head->held_out;
    plan->recall = head->recall;
    plan->recall_low = head->recall_low;
    memcpy(plan->costs, head->costs, sizeof(plan->costs));
    memcpy(plan->reason, head->reason, sizeof(plan->reason));
}

static int32_t read_method(dm_index *index, const uint8_t *rest, size_t size, size_t placement, dm_memory *account,
                           char *error, size_t error_size) {
    switch (index->plan.method) {
    case DM_METHOD_GRAPH:
        return dm_graph_from_image(dm_index_graph_variant(index->isa), &index->rows, rest, size, placement, account,
                                   &index->graph, error, error_size);
    case DM_METHOD_EXACT:
        return size == 0 ? dm_index_make_exact(index, &index->rows, placement, account, error, error_size)
                         : corrupt(error, error_size, "an exact index has no more than a header");
    default: {
        const int32_t status =
            dm_lists_from_image(&index->rows, rest, size, index->isa, placement, account, &index->lists, error,
                                error_size);
        return status != DM_OK || index->plan.effort <= dm_lists_count(index->lists)
                   ? status
                   : corrupt(error, error_size, "it visits more lists than there are");
    }
    }
}

int32_t dm_index_from_image(const dm_rows *rows, const void *bytes, size_t size, dm_isa isa, size_t placement,
                            dm_memory *account, dm_index **index, char *error, size_t error_size) {
    const uint8_t *rest = (const uint8_t *)bytes + sizeof(header);
    header head;
    *index = NULL;
    if (size < sizeof(head)) {
        return corrupt(error, error_size, "it is shorter than its header");
    }
    memcpy(&head, bytes, sizeof(head));
    int32_t status = check(&head, rows, rest, size, error, error_size);
    if (status != DM_OK) {
        return status;
    }
    dm_index *made = dm_memory_allocate(account, sizeof(*made), DM_CACHE_LINE, 0);
    if (made == NULL) {
        snprintf(error, error_size, "no memory for the head of an index of %u rows", rows->count);
        return DM_ERROR_MEMORY;
    }
    made->rows = *rows;
    made->used = head.used;
    made->isa = isa;
    made->similarity = (dm_similarity)head.similarity;
    read_plan(&made->plan, &head);
    status = read_method(made, rest, size - sizeof(head), placement, account, error, error_size);
    if (status == DM_OK && made->graph != NULL && dm_graph_size(made->graph) != head.used) {
        status = corrupt(error, error_size, "its graph holds another number of rows");
    }
    if (status != DM_OK) {
        dm_index_destroy(made, account);
        return status;
    }
    *index = made;
    return DM_OK;
}
