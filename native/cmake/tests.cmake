# C tests: one executable per native/tests/test_*.c. Those of the host need the host alone; the others have libdualmem's objects
# inside so that a test can reach every variant.
set(host_tests test_histogram test_request test_answer test_execute test_pages test_player)
file(GLOB test_sources CONFIGURE_DEPENDS tests/test_*.c)
set(test_seconds 300)
if(CMAKE_CROSSCOMPILING) # an emulator is many times slower
  set(test_seconds 1200)
endif()
set(variant_tests) # those that include the header of a table of variants
foreach(source IN LISTS test_sources)
  get_filename_component(name ${source} NAME_WE)
  add_executable(${name} ${source} tests/support.c)
  if(NOT name IN_LIST host_tests)
    target_link_libraries(${name} PRIVATE dualmem_objects)
  endif()
  target_include_directories(${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE dmx_host m Threads::Threads)
  # Under an emulator the clocks and pages that the host works with are not the machine's: its tests are only compiled then;
  # nor does it know limits of memory, and what follows a store, or uses one, has nothing of an instruction set.
  if(NOT (CMAKE_CROSSCOMPILING AND (name IN_LIST host_tests OR name MATCHES "^test_(footprint|snapshot_damage|store_lookup_.*|workload.*)$")))
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES TIMEOUT ${test_seconds})
  endif()
  file(STRINGS ${source} tables REGEX "^#include \"(simd|index|kernels)/")
  if(tables)
    list(APPEND variant_tests ${name})
  endif()
endforeach()
include(cmake/emulated.cmake)
dm_add_emulated_tests(${variant_tests})

# Programs beside the tests: a long run (`make soak`), the times of snapshots (docs/explanation/snapshot.py) and of images of
# graphs (docs/explanation/lookup.md), and of the operations of workloads, which another counts (docs/explanation/load.md).
foreach(name soak snapshot_speed graph_image_speed workload_speed workload_work)
  add_executable(${name} tests/${name}.c tests/support.c)
  target_include_directories(${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE dualmem_objects m Threads::Threads)
endforeach()

# Tiny libraries with known answers (tests/subjects): what the host and the gate are tested on.
file(GLOB subject_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/../tests/subjects/*.c)
set(subjects)
foreach(source IN LISTS subject_sources)
  get_filename_component(name ${source} NAME_WE)
  add_library(subject_${name} SHARED ${source})
  set_target_properties(subject_${name} PROPERTIES OUTPUT_NAME ${name} PREFIX "" NO_SONAME ON
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/subjects)
  target_compile_options(subject_${name} PRIVATE -O2 -falign-functions=64 -falign-loops=64)
  list(APPEND subjects subject_${name})
endforeach()
add_custom_target(subjects DEPENDS ${subjects})

target_link_libraries(test_player PRIVATE dmp_parts)
target_compile_definitions(test_player PRIVATE
  PLAYER="$<TARGET_FILE:dualmem_player>" SUBJECT="$<TARGET_FILE:subject_workloads>")
add_dependencies(test_player dualmem_player subject_workloads)
