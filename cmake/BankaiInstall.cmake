# Install and export: find_package(bankai) gives bankai::core, bankai::model, …
# Every library and program that the rooms registered is installed; nothing is listed here.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

get_property(bankai_libraries GLOBAL PROPERTY BANKAI_LIBRARIES)
get_property(bankai_programs GLOBAL PROPERTY BANKAI_PROGRAMS)
set(bankai_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/bankai)

install(TARGETS ${bankai_libraries} EXPORT bankaiTargets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
set(bankai_rooms)
foreach(library IN LISTS bankai_libraries)
  target_compile_features(${library} INTERFACE cxx_std_20)
  get_target_property(room ${library} SOURCE_DIR)
  list(APPEND bankai_rooms ${room})
endforeach()
list(REMOVE_DUPLICATES bankai_rooms)
install(DIRECTORY ${bankai_rooms} DESTINATION include/bankai FILES_MATCHING PATTERN "*.h")
if(bankai_programs)
  install(TARGETS ${bankai_programs} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE ${PROJECT_SOURCE_DIR}/README.md
  DESTINATION ${CMAKE_INSTALL_DOCDIR} OPTIONAL)

install(EXPORT bankaiTargets NAMESPACE bankai:: DESTINATION ${bankai_package_dir})
configure_package_config_file(
  ${CMAKE_CURRENT_LIST_DIR}/bankaiConfig.cmake.in ${PROJECT_BINARY_DIR}/bankaiConfig.cmake
  INSTALL_DESTINATION ${bankai_package_dir})
# Before 1.0 a new minor version may break its callers.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/bankaiConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/bankaiConfig.cmake ${PROJECT_BINARY_DIR}/bankaiConfigVersion.cmake
  DESTINATION ${bankai_package_dir})
