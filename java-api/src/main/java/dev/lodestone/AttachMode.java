package dev.lodestone;

/** What an attached process may do with the memory of the engine. */
public enum AttachMode {
    /** Reading only: the file is mapped so that nothing in this process can change it. For tools and dashboards. */
    READ_ONLY,
    /** Also what is handed to the engine through its memory. The file has to be writable. */
    READ_WRITE
}
