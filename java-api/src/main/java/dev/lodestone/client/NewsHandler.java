package dev.lodestone.client;

/** Takes news of nodes from a {@link NewsReader}. */
@FunctionalInterface
public interface NewsHandler {
    /**
     * Takes the news of one node. Called on the thread that polls. An exception leaves the poll; this news counts as taken.
     *
     * @param node the node, unsigned
     * @param news the reader, whose methods show this news during the call
     */
    void onNews(int node, NewsReader news);
}
