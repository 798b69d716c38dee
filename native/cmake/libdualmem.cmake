# libdualmem: every source is an object of its own, compiled once; a layout is one order of these objects behind one pad
# (cmake/layouts.cmake).
file(GLOB DUALMEM_SOURCES CONFIGURE_DEPENDS RELATIVE ${CMAKE_CURRENT_SOURCE_DIR}
  store/*.c parallel/*.c graph/*.c formation/*.c perf/*.c index/*.c simd/*.c kernels/*.c workloads/*.c)
list(SORT DUALMEM_SOURCES)

# Functions and loops begin at cache lines: the spread between layouts shrinks from 0.6..5.7 % to 2.7..3.3 % for a true
# 3 % (measured on an AVX2 dot kernel), at the price of a few hundred bytes.
set(DUALMEM_FLAGS -falign-functions=64 -falign-loops=64 -fno-semantic-interposition -ffp-contract=off
  -fno-math-errno -ffunction-sections)
set(DUALMEM_LINK_FLAGS -Wl,-Bsymbolic -Wl,-z,now -Wl,-z,defs -Wl,--as-needed -Wl,--build-id=sha1 -static-libgcc)

set(DUALMEM_COMPILER "${CMAKE_C_COMPILER_ID} ${CMAKE_C_COMPILER_VERSION}")
string(REPLACE "GNU" "gcc" DUALMEM_COMPILER "${DUALMEM_COMPILER}")
string(REPLACE "Clang" "clang" DUALMEM_COMPILER "${DUALMEM_COMPILER}")
list(JOIN DUALMEM_FLAGS " " flags_text)
set(DUALMEM_FLAGS_TEXT "${CMAKE_C_FLAGS} ${CMAKE_C_FLAGS_RELEASE} ${flags_text}")
string(STRIP "${DUALMEM_FLAGS_TEXT}" DUALMEM_FLAGS_TEXT)
configure_file(${CMAKE_CURRENT_SOURCE_DIR}/kernels/build_facts.h.in ${CMAKE_CURRENT_BINARY_DIR}/generated/build_facts.h)

# Flags of the files *_<instruction set>.c. Those for another processor are empty without them. NEON needs none.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(DUALMEM_FLAGS_avx2 -mavx2 -mfma -mbmi2)
  set(DUALMEM_FLAGS_avx512 ${DUALMEM_FLAGS_avx2} -mavx512f -mavx512bw -mavx512vl)
  set(DUALMEM_FLAGS_avx512vnni ${DUALMEM_FLAGS_avx512} -mavx512vnni)
endif()

set(dm_objects)
set(dm_workloads) # behind everything else in every layout: what was there before them stays where it was
foreach(source IN LISTS DUALMEM_SOURCES)
  string(REGEX REPLACE "[/.]" "_" name ${source})
  add_library(dm_${name} OBJECT ${source})
  target_include_directories(dm_${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR} ${CMAKE_CURRENT_BINARY_DIR}/generated)
  target_compile_options(dm_${name} PRIVATE ${DUALMEM_FLAGS})
  # One file per instruction set, with flags for that file only.
  if(source MATCHES "_scalar\\.c$")
    target_compile_options(dm_${name} PRIVATE -fno-tree-vectorize)
    if(CMAKE_C_COMPILER_ID MATCHES "Clang")
      target_compile_options(dm_${name} PRIVATE -fno-slp-vectorize -fno-vectorize)
    endif()
  elseif(source MATCHES "_(avx2|avx512|avx512vnni)\\.c$")
    target_compile_options(dm_${name} PRIVATE ${DUALMEM_FLAGS_${CMAKE_MATCH_1}})
  endif()
  if(source MATCHES "^workloads/")
    list(APPEND dm_workloads dm_${name})
  else()
    list(APPEND dm_objects dm_${name})
  endif()
endforeach()

# All objects, for tests that reach inside.
add_library(dualmem_objects INTERFACE)
foreach(object IN LISTS dm_objects dm_workloads)
  target_sources(dualmem_objects INTERFACE $<TARGET_OBJECTS:${object}>)
endforeach()
target_link_libraries(dualmem_objects INTERFACE m Threads::Threads)

dm_add_links(dualmem_links dualmem dualmem ${CMAKE_CURRENT_BINARY_DIR}/links ${dm_objects} LAST ${dm_workloads})
add_custom_target(dualmem_links DEPENDS ${dualmem_links})

if(SKBUILD)
  install(TARGETS ${dualmem_links} LIBRARY DESTINATION dualmem_cli/_native/links)
  install(DIRECTORY include/dualmem DESTINATION dualmem_cli/_native/include)
  install(DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}/../scenarios/ DESTINATION dualmem_cli/_native/scenarios)
endif()
