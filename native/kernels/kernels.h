/* kernels.h: the rows that each kernel file contributes to the table (table.c concatenates them).
 *
 * A file per family exports a constant array and its length, so that adding a kernel touches its own file and nothing
 * else; a new family adds two lines here and one in table.c. */
#ifndef DUALMEM_KERNELS_KERNELS_H
#define DUALMEM_KERNELS_KERNELS_H

#include <stddef.h>

#include "dualmem/dm_kernel.h"

extern const dm_kernel *const dm_binding_update_kernels[];
extern const size_t dm_binding_update_kernel_count;
extern const dm_kernel *const dm_fan_kernels[];
extern const size_t dm_fan_kernel_count;
extern const dm_kernel *const dm_type_discrimination_kernels[];
extern const size_t dm_type_discrimination_kernel_count;
extern const dm_kernel *const dm_node_access_kernels[];
extern const size_t dm_node_access_kernel_count;
extern const dm_kernel *const dm_similarity_kernels[];
extern const size_t dm_similarity_kernel_count;
extern const dm_kernel *const dm_concept_lookup_kernels[];
extern const size_t dm_concept_lookup_kernel_count;
extern const dm_kernel *const dm_concept_lookup_graph_kernels[];
extern const size_t dm_concept_lookup_graph_kernel_count;
extern const dm_kernel *const dm_concept_lookup_at_recall_kernels[];
extern const size_t dm_concept_lookup_at_recall_kernel_count;
extern const dm_kernel *const dm_concept_lookup_batch_kernels[];
extern const size_t dm_concept_lookup_batch_kernel_count;
extern const dm_kernel *const dm_activation_kernels[];
extern const size_t dm_activation_kernel_count;
extern const dm_kernel *const dm_decay_kernels[];
extern const size_t dm_decay_kernel_count;
extern const dm_kernel *const dm_mixed_kernels[];
extern const size_t dm_mixed_kernel_count;
extern const dm_kernel *const dm_concept_formation_kernels[];
extern const size_t dm_concept_formation_kernel_count;
extern const dm_kernel *const dm_spreading_kernels[];
extern const size_t dm_spreading_kernel_count;
extern const dm_kernel *const dm_fan_effect_anderson_kernels[];
extern const size_t dm_fan_effect_anderson_kernel_count;
extern const dm_kernel *const dm_ceiling_kernels[];
extern const size_t dm_ceiling_kernel_count;

#endif
