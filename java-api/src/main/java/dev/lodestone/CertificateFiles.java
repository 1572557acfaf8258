package dev.lodestone;

import java.nio.file.Path;
import java.util.Objects;

/**
 * A certificate of one's own.
 *
 * @param certificateFile the certificate chain, PEM, leaf first
 * @param keyFile its private key, PEM
 */
public record CertificateFiles(Path certificateFile, Path keyFile) {
    /** Checks that both are there. */
    public CertificateFiles {
        Objects.requireNonNull(certificateFile, "certificateFile");
        Objects.requireNonNull(keyFile, "keyFile");
    }
}
