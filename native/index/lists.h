/* lists.h: approximate nearest rows by cosine, by coarse lists over projected codes (an inverted file; Jegou, Douze &
 * Schmid 2011, "Product quantization for nearest neighbor search", section IV), for rows of low intrinsic dimension.
 *
 * The rows are divided among centres (spherical k-means; Dhillon & Modha 2001). Each list holds the codes of its rows
 * one behind the other, so that a visit is a scan and not a walk. Codes are 8-bit, of the rows as they are or projected
 * on their principal components where these hold nearly all of their squared norm (measured, not assumed). A search
 * visits the lists of the `visits` centres nearest to the query and rescores the best candidates by their float32 rows,
 * in double, as in exact.h: a cosine that is returned is exact; what is approximate is which rows are found.
 *
 * Threads: constant once made; every thread that searches needs a scratch of its own. The rows must neither move nor
 * change while the index lives. */
#ifndef DUALMEM_INDEX_LISTS_H
#define DUALMEM_INDEX_LISTS_H

#include <stddef.h>
#include <stdint.h>

#include "dualmem/dualmem.h"
#include "index/exact.h"
#include "simd/isa.h"
#include "store/memory.h"

typedef struct dm_lists_options {
    uint32_t list_count; /* 0: chosen from the number of rows */
    uint32_t dims;       /* of the projection; 0: measured (may come out as none); the rows' dim: none */
    uint64_t seed;
    size_t placement;
    dm_isa isa;          /* the most that may be used; the machine has it. The lists are the same for all */
} dm_lists_options;

typedef struct dm_lists dm_lists;
typedef struct dm_lists_scratch dm_lists_scratch;

/* An index of the rows in use. The team, or NULL, divides the work; the result does not depend on it.
 * DM_ERROR_ARGUMENT: an option out of range or no rows. DM_ERROR_MEMORY. *lists is NULL then. */
int32_t dm_lists_create(const dm_rows *rows, const dm_lists_options *options, dm_team *team, dm_memory *account,
                        dm_lists **lists, char *error, size_t error_size);
/* Lists of other rows with the same centres and directions, which need not be looked for: rows that `before` has too,
 * under the same numbers, stay in their lists. The team and the result as at the making. *lists is NULL, with DM_OK,
 * where they would do badly: fewer rows than lists, or rows that the directions show much worse than those of before.
 * DM_ERROR_MEMORY. */
int32_t dm_lists_follow(const dm_lists *before, const dm_rows *rows, dm_isa isa, dm_team *team, dm_memory *account,
                        dm_lists **lists, char *error, size_t error_size);
/* The rows have other numbers and addresses: map[number], one to one, is the new one of each row in the lists. */
void dm_lists_renumber(dm_lists *lists, const dm_rows *rows, const uint32_t *map);
void dm_lists_destroy(dm_lists *lists, dm_memory *account);

uint32_t dm_lists_count(const dm_lists *lists);       /* lists */
uint32_t dm_lists_dims(const dm_lists *lists);        /* of the projection; 0: none */
double dm_lists_energy(const dm_lists *lists);        /* share of the rows' squared norm that the projection keeps; 1:
                                                         none */
size_t dm_lists_code_bytes(const dm_lists *lists);    /* of one row, with its scale */

int32_t dm_lists_scratch_create(const dm_lists *lists, dm_memory *account, dm_lists_scratch **scratch, char *error,
                                size_t error_size);
void dm_lists_scratch_destroy(dm_lists_scratch *scratch, dm_memory *account);

/* The best k rows that the `visits` nearest lists hold, best first, of equal cosines the smaller row; returns how many.
 * visits: 1..dm_lists_count. k: 1..DM_EXACT_K_MAX. Neither allocates, locks nor fails. */
uint32_t dm_lists_search(const dm_lists *lists, dm_lists_scratch *scratch, const float *query, uint32_t k,
                         uint32_t visits, dm_neighbour *neighbours);

/* Of the last search with this scratch: codes compared, rows rescored. */
uint32_t dm_lists_compared(const dm_lists_scratch *scratch);
uint32_t dm_lists_rescored(const dm_lists_scratch *scratch);

/* As in graph.h. */
size_t dm_lists_image_size(const dm_lists *lists);
void dm_lists_write_image(const dm_lists *lists, void *bytes);
int32_t dm_lists_from_image(const dm_rows *rows, const void *bytes, size_t size, dm_isa isa, size_t placement,
                            dm_memory *account, dm_lists **lists, char *error, size_t error_size);

#endif
