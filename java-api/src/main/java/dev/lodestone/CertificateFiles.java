package dev.lodestone;

import java.nio.file.Path;

/**
 * A certificate of one's own.
 *
 * @param certificateFile the certificate chain, PEM, leaf first
 * @param keyFile its private key, PEM
 */
public record CertificateFiles(Path certificateFile, Path keyFile) {}
