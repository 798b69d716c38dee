# The store for Python users (dualmem_cli.native): a cffi module made from the public headers, linked against layout 0 of libdualmem, which
# lies in links/ beside it here as well as where it is installed.
set(store_c ${CMAKE_CURRENT_BINARY_DIR}/generated/_store.c)
set(store_headers dm_kernel.h dualmem.h perf_counters.h) # in this order: each needs the one before
list(TRANSFORM store_headers PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/include/dualmem/)
add_custom_command(OUTPUT ${store_c}
  COMMAND ${Python_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/python/make_store_cffi.py ${store_c} ${store_headers}
  DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/python/make_store_cffi.py ${CMAKE_CURRENT_SOURCE_DIR}/host/make_cffi.py ${store_headers}
  VERBATIM)
python_add_library(dm_python MODULE ${store_c})
# The stable ABI, as for the host's module.
set_target_properties(dm_python PROPERTIES OUTPUT_NAME _store SUFFIX .abi3.so
  BUILD_WITH_INSTALL_RPATH ON INSTALL_RPATH "$ORIGIN/links")
target_compile_definitions(dm_python PRIVATE Py_LIMITED_API=0x030b0000)
# Generated code is not ours to warn about.
target_compile_options(dm_python PRIVATE -w)
# By its file name: the links have no soname, and a path would be looked for in the working directory.
add_dependencies(dm_python dualmem_0)
set_target_properties(dm_python PROPERTIES LINK_DEPENDS $<TARGET_FILE:dualmem_0>)
target_link_libraries(dm_python PRIVATE -L$<TARGET_FILE_DIR:dualmem_0> -l:$<TARGET_FILE_NAME:dualmem_0>)
if(SKBUILD)
  install(TARGETS dm_python LIBRARY DESTINATION dualmem_cli/_native)
endif()
